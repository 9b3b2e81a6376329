import type { Mount } from '#api/generated/types.ts'
import { invalidConfig } from './errors.ts'

/** Flags by what they decide; a later one takes the place of an earlier one. */
const FLAGS: Readonly<Record<string, string>> = {
  ro: 'access',
  rw: 'access',
  exec: 'exec',
  noexec: 'exec',
  suid: 'suid',
  nosuid: 'suid',
  dev: 'dev',
  nodev: 'dev',
  sync: 'sync',
  async: 'sync',
  dirsync: 'dirsync',
  atime: 'atime',
  noatime: 'atime',
  relatime: 'atime',
  norelatime: 'atime',
  strictatime: 'atime',
  nostrictatime: 'atime',
  diratime: 'diratime',
  nodiratime: 'diratime',
  mand: 'mand',
  nomand: 'mand',
  private: 'propagation',
  rprivate: 'propagation',
  shared: 'propagation',
  rshared: 'propagation',
  slave: 'propagation',
  rslave: 'propagation',
}

const VALUES: Readonly<Record<string, RegExp>> = {
  size: /^\d+[kmgtpe%]?$/i,
  mode: /^[0-7]{1,5}$/,
  uid: /^\d+$/,
  gid: /^\d+$/,
  nr_inodes: /^\d+[kmg]?$/i,
  nr_blocks: /^\d+[kmg]?$/i,
  mpol: /^[\w:,=-]+$/,
}

/** Docker's defaults with the asked options over them. Fails with `Invalid tmpfs option`. */
export function tmpfsOptions(asked: readonly string[], readWrite: boolean): string[] {
  const chosen = new Map<string, string>()
  const defaults = ['noexec', 'nosuid', 'nodev', 'rprivate']
  for (const option of [...defaults, ...(readWrite ? [] : ['ro']), ...asked]) {
    const kind = kindOf(option)
    if (kind === undefined) throw invalidConfig(`Invalid tmpfs option ${JSON.stringify(option)}`)
    // Deleting first keeps the order of the last mention.
    chosen.delete(kind)
    chosen.set(kind, option)
  }
  return [...chosen.values()]
}

/** `TmpfsOptions` of a mount as option words; of the free options only `exec` and `noexec` are let through, as in Docker. */
export function tmpfsData(options: NonNullable<Mount['TmpfsOptions']>): string[] {
  const { SizeBytes: size, Mode: mode, Options: more } = options
  return [
    ...(mode ? [`mode=${mode.toString(8)}`] : []),
    ...(size ? [`size=${size}`] : []),
    ...(more ?? []).map((option) => {
      if (option.length < 1 || option.length > 2) throw invalidConfig('invalid option array length')
      if (option[0] !== 'exec' && option[0] !== 'noexec') throw invalidConfig(`invalid option: ${option[0]}`)
      return option.join('=')
    }),
  ]
}

function kindOf(option: string): string | undefined {
  const at = option.indexOf('=')
  if (at === -1) return Object.hasOwn(FLAGS, option) ? FLAGS[option] : undefined
  const name = option.slice(0, at)
  const wanted = Object.hasOwn(VALUES, name) ? VALUES[name] : undefined
  return wanted?.test(option.slice(at + 1)) === true ? name : undefined
}

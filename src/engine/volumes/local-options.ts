import { parseByteSize } from '#base/byte-size.ts'
import type { VolumeMount } from '#os/helper.ts'
import { optionInvalid } from './errors.ts'

/** What the options of a volume of the driver `local` mean. */
export interface LocalVolume {
  /** Mounted instead of a directory of ours. */
  readonly mount: VolumeMount | undefined
  /** Bytes that it may take up at most. */
  readonly size: number | undefined
}

const OPTIONS = ['type', 'o', 'device', 'size']
/** Docker's: who gives the one must give the others. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  type: ['device'],
  device: ['type'],
  o: ['device', 'type'],
}

const MS = { RDONLY: 1, REMOUNT: 32, BIND: 4096, REC: 16384 }
/** mount(2) flags by the words of mount(8): bits set and bits cleared. */
const FLAGS: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  defaults: [0, 0],
  ro: [MS.RDONLY, 0],
  rw: [0, MS.RDONLY],
  nosuid: [2, 0],
  suid: [0, 2],
  nodev: [4, 0],
  dev: [0, 4],
  noexec: [8, 0],
  exec: [0, 8],
  sync: [16, 0],
  async: [0, 16],
  mand: [64, 0],
  nomand: [0, 64],
  dirsync: [128, 0],
  noatime: [1024, 0],
  atime: [0, 1024],
  nodiratime: [2048, 0],
  diratime: [0, 2048],
  bind: [MS.BIND, 0],
  rbind: [MS.BIND | MS.REC, 0],
  relatime: [1 << 21, 0],
  norelatime: [0, 1 << 21],
  strictatime: [1 << 24, 0],
  nostrictatime: [0, 1 << 24],
}
/** Whom a mount propagates to is ours to say: it exists in a namespace of our own. */
const IGNORED = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable']

/** Options of `create NAME` with Docker's checks and words. */
export function parseLocalOptions(name: string, options: Readonly<Record<string, string>>): LocalVolume {
  for (const key of Object.keys(options)) {
    if (!OPTIONS.includes(key)) throw optionInvalid(name, `invalid option: "${key}"`)
  }
  const { type = '', o = '', device = '' } = options
  const limit = sizeOf(name, options)
  if (type === '' && device === '') {
    const words = o.split(',').filter((word) => word !== '' && !word.startsWith('size='))
    if (words.length > 0) throw optionInvalid(name, `missing required option: "device"`)
    return { mount: undefined, size: limit }
  }
  for (const [given, others] of Object.entries(NEEDED)) {
    const missing =
      (options[given] ?? '') === '' ? undefined : others.find((key) => (options[key] ?? '') === '')
    if (missing !== undefined) throw optionInvalid(name, `missing required option: "${missing}"`)
  }
  if ((options['size'] ?? '') !== '') {
    throw optionInvalid(name, 'size limits a directory of the engine, not what type and device mount')
  }
  return { mount: mountOf(name, type, device, o), size: undefined }
}

function mountOf(name: string, type: string, device: string, o: string): VolumeMount {
  let flags = 0
  const data: string[] = []
  for (const word of o.split(',')) {
    const known = Object.hasOwn(FLAGS, word) ? FLAGS[word] : undefined
    if (known !== undefined) flags = (flags | known[0]) & ~known[1]
    else if (word !== '' && !IGNORED.includes(word)) data.push(word)
  }
  if ((flags & MS.BIND) !== 0 && !device.startsWith('/')) {
    throw optionInvalid(name, `the device of a bind must be an absolute path: ${device}`)
  }
  if (data.includes('remount')) throw optionInvalid(name, 'invalid option: "remount"')
  return { type, source: device, flags, data: data.join(',') }
}

/** `size=10G`, or the same as a word of `o` where nothing is mounted. */
function sizeOf(name: string, options: Readonly<Record<string, string>>): number | undefined {
  const word = (options['o'] ?? '').split(',').find((each) => each.startsWith('size='))
  const text = options['size'] || word?.slice('size='.length)
  if (text === undefined || text === '') return undefined
  const bytes = parseByteSize(text)
  if (bytes !== undefined && bytes > 0) return bytes
  throw optionInvalid(name, `invalid size: '${text}'`)
}

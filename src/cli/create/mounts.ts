import { resolve } from 'node:path'
import type { Mount } from '#api/generated/types.ts'
import { valueError } from '../errors.ts'
import { cut } from '../flags.ts'
import { parseBool, parseBytes } from '../values.ts'
import { csvFields } from './csv.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** A `--mount` value: CSV of `key=value`, type volume unless it says otherwise. Relative bind sources are resolved. */
export function parseMount(text: string, cwd: string): Mount {
  const draft: Draft = { mount: { Type: 'volume' }, bind: {}, volume: {}, tmpfs: {}, image: {}, driver: {} }
  for (const field of csvFields(text)) {
    const [rawKey, value] = cut(field, '=')
    const key = rawKey.toLowerCase()
    if (rawKey !== rawKey.trim())
      throw valueError(`invalid option '${rawKey}' in '${field}': option should not have whitespace`)
    if (value === undefined && !switches.includes(key)) {
      throw valueError(`invalid field '${field}' must be a key=value pair`)
    }
    const option = options[key]
    if (option === undefined) throw valueError(`unknown option '${rawKey}' in '${field}'`)
    option(draft, value ?? 'true', rawKey)
  }
  return finish(draft, cwd)
}

interface Draft {
  readonly mount: Writable<Mount>
  readonly bind: NonNullable<Mount['BindOptions']>
  readonly volume: NonNullable<Mount['VolumeOptions']>
  readonly tmpfs: NonNullable<Mount['TmpfsOptions']>
  readonly image: NonNullable<Mount['ImageOptions']>
  readonly driver: { Name?: string; Options?: Record<string, string> }
}

type Option = (draft: Draft, value: string, key: string) => void

const types = ['bind', 'volume', 'tmpfs', 'image', 'npipe', 'cluster'] as const
const switches = ['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive', 'bind-create-src']

const source: Option = ({ mount }, value) => (mount.Source = value)
const target: Option = ({ mount }, value) => (mount.Target = value)
const readOnly: Option = ({ mount }, value, key) => (mount.ReadOnly = bool(value, key))

const options: Readonly<Record<string, Option>> = {
  type({ mount }, value) {
    const type = types.find((each) => each === value.toLowerCase())
    if (type === undefined) throw valueError(`invalid mount type "${value}": want one of ${types.join(', ')}`)
    mount.Type = type
  },
  source,
  src: source,
  target,
  dst: target,
  destination: target,
  readonly: readOnly,
  ro: readOnly,
  consistency: ({ mount }, value) => (mount.Consistency = value.toLowerCase()),
  'bind-propagation'({ bind }, value) {
    bind.Propagation = value.toLowerCase() as NonNullable<typeof bind.Propagation>
  },
  'bind-nonrecursive': ({ bind }, value, key) => (bind.NonRecursive = bool(value, key)),
  'bind-create-src': ({ bind }, value, key) => (bind.CreateMountpoint = bool(value, key)),
  'bind-recursive'({ bind }, value, key) {
    switch (value) {
      case 'enabled':
        return
      case 'disabled':
        bind.NonRecursive = true
        return
      case 'writable':
        bind.ReadOnlyNonRecursive = true
        return
      case 'readonly':
        bind.ReadOnlyForceRecursive = true
        return
      default:
        throw valueError(
          `invalid value for ${key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
        )
    }
  },
  // Berth's own: whose the files are that the container's user makes.
  idmap({ bind }, value, key) {
    if (!/^(?:host|\d+(?::\d+)?)$/.test(value)) {
      throw valueError(`invalid value for ${key}: ${value} (want host, UID or UID:GID)`)
    }
    bind.IDMap = value
  },
  'volume-subpath': ({ volume }, value) => (volume.Subpath = value),
  'volume-nocopy': ({ volume }, value, key) => (volume.NoCopy = bool(value, key)),
  'volume-label'({ volume }, value) {
    const [key, text] = cut(value, '=')
    volume.Labels = { ...volume.Labels, [key]: text ?? '' }
  },
  'volume-driver': ({ driver }, value) => (driver.Name = value),
  'volume-opt'({ driver }, value) {
    const [key, text] = cut(value, '=')
    driver.Options = { ...driver.Options, [key]: text ?? '' }
  },
  'image-subpath': ({ image }, value) => (image.Subpath = value),
  'tmpfs-size': ({ tmpfs }, value, key) => (tmpfs.SizeBytes = named(key, value, () => parseBytes(value))),
  'tmpfs-mode'({ tmpfs }, value, key) {
    if (!/^[0-7]{1,4}$/.test(value)) throw valueError(`invalid value for ${key}: ${value}`)
    tmpfs.Mode = Number.parseInt(value, 8)
  },
}

function finish({ mount, bind, volume, tmpfs, image, driver }: Draft, cwd: string): Mount {
  const { Type: type } = mount
  if (!mount.Target) throw valueError('target is required')
  if (bind.ReadOnlyForceRecursive === true) {
    if (mount.ReadOnly !== true)
      throw valueError(`option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction`)
    if (bind.Propagation !== 'rprivate') {
      throw valueError(
        `option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction`,
      )
    }
  }
  if (Object.keys(driver).length > 0) volume.DriverConfig = driver
  const groups = [
    ['volume', 'VolumeOptions', volume],
    ['bind', 'BindOptions', bind],
    ['tmpfs', 'TmpfsOptions', tmpfs],
    ['image', 'ImageOptions', image],
  ] as const
  for (const [owner, field, given] of groups) {
    if (Object.keys(given).length === 0) continue
    if (type !== owner) throw valueError(`cannot mix '${owner}-*' options with mount type '${type}'`)
    Object.assign(mount, { [field]: given })
  }
  if (type === 'bind' && mount.Source?.startsWith('.') === true) mount.Source = resolve(cwd, mount.Source)
  if ((type === 'bind' || type === 'image') && !mount.Source)
    throw valueError(`source is required for mount type ${type}`)
  return mount
}

function bool(value: string, key: string): boolean {
  return named(key, value, () => parseBool(value))
}

function named<T>(key: string, value: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw Object.assign(valueError(`invalid value for ${key}: ${value}`), { cause: error })
  }
}

/**
 * A `-v` value. With a colon it is a bind or a named volume for the daemon, whose relative source (`./…`, `../…`, `.`)
 * becomes absolute; without one it is the path of an anonymous volume.
 */
export function parseVolume(
  text: string,
  cwd: string,
): { readonly bind: string } | { readonly anonymous: string } {
  const parts = text.split(':')
  if (parts.length > 3) throw valueError(`invalid spec: ${text}: too many colons`)
  if (text === '' || parts.some((part, i) => part === '' && i < 2)) {
    throw valueError(text === '' ? 'invalid empty volume spec' : `invalid volume specification: '${text}'`)
  }
  const [first = '', ...rest] = parts
  if (rest.length === 0) {
    if (!first.startsWith('/'))
      throw valueError(`invalid volume specification: '${text}': the path in the container must be absolute`)
    return { anonymous: first }
  }
  const isRelative = first === '.' || first === '..' || first.startsWith('./') || first.startsWith('../')
  const from = isRelative ? resolve(cwd, first) : first
  return { bind: [from, ...rest].join(':') }
}

/** `--tmpfs` values, `path[:options]`. */
export function parseTmpfs(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [path, settings] = cut(text, ':')
      return [path, settings ?? '']
    }),
  )
}

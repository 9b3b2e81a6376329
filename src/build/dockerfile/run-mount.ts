import { didYouMean } from '#base/nearest.ts'
import { parseByteSize } from '#base/byte-size.ts'
import { SyntaxFailure } from './failure.ts'

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const
const SHARING = ['shared', 'private', 'locked'] as const
const KEYS =
  'type from source target readonly id sharing required size mode uid gid src dst destination ro rw readwrite env'.split(
    ' ',
  )

/** One `RUN --mount`, expanded. What is undefined was not given and has the default of its type. */
export interface Mount {
  readonly type: (typeof TYPES)[number]
  /** A stage, context or image; the build context when undefined. */
  readonly from: string | undefined
  readonly source: string | undefined
  readonly target: string | undefined
  readonly readOnly: boolean
  readonly id: string | undefined
  readonly sharing: (typeof SHARING)[number] | undefined
  /** The step fails when the client has no such secret or agent. */
  readonly required: boolean
  /** Bytes of a tmpfs. */
  readonly size: number | undefined
  readonly mode: number | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
  /** Name of the variable that holds a secret. */
  readonly env: string | undefined
}

type Draft = { -readonly [K in keyof Mount]: Mount[K] | undefined }

/** Reads the value of a `--mount`; `expand` is applied to each option's value but `from`. */
export function parseMount(text: string, expand: (value: string) => string): Mount {
  const fields = splitCsv(text).map((field) => {
    const at = field.indexOf('=')
    const key = (at === -1 ? field : field.slice(0, at)).toLowerCase()
    if (at === -1) return { field, key, value: undefined }
    const value = field.slice(at + 1)
    return { field, key, value: key === 'from' ? literalFrom(value) : expand(value) }
  })
  const draft: Partial<Draft> = {}
  for (const { field, key, value } of fields) {
    if (value === undefined) setSwitch(draft, field, key)
    else setOption(draft, field, key, value)
  }
  return finish(draft)
}

/** The `from` of a mount, which is known before anything is expanded. */
export function mountFrom(text: string): string | undefined {
  const field = splitCsv(text).findLast((candidate) => /^from=/i.test(candidate))
  return field === undefined || field.length === 5 ? undefined : literalFrom(field.slice(5))
}

function literalFrom(value: string): string {
  if (/\$./.test(value))
    throw new SyntaxFailure("'from' doesn't support variable expansion, define alias stage instead", {
      hint: 'Add a stage `FROM image AS name` and name it here.',
    })
  return value
}

function setSwitch(mount: Partial<Draft>, field: string, key: string): void {
  if (key === 'readonly' || key === 'ro') mount.readOnly = true
  else if (key === 'readwrite' || key === 'rw') mount.readOnly = false
  else if (key === 'required') setOption(mount, field, key, 'true')
  else throw new SyntaxFailure(`invalid field '${field}' must be a key=value pair`)
}

function setOption(mount: Partial<Draft>, field: string, key: string, value: string): void {
  switch (key) {
    case 'type':
      mount.type = oneOf(TYPES, value, `unsupported mount type ${JSON.stringify(value)}`)
      return
    case 'from':
      mount.from = value
      return
    case 'source':
    case 'src':
      mount.source = value
      return
    case 'target':
    case 'dst':
    case 'destination':
      mount.target = value
      return
    case 'readonly':
    case 'ro':
      mount.readOnly = boolean(key, value)
      return
    case 'readwrite':
    case 'rw':
      mount.readOnly = !boolean(key, value)
      return
    case 'sharing':
      mount.sharing = oneOf(SHARING, value, `unsupported sharing value ${JSON.stringify(value)}`)
      return
    case 'id':
    case 'env':
      mount[key] = value
      return
    case 'required':
      mount.required = boolean(key, value)
      return
    case 'size':
      mount.size = ramBytes(value)
      return
    case 'mode':
    case 'uid':
    case 'gid':
      mount[key] = integer(key, value)
      return
    default:
      throw new SyntaxFailure(`unexpected key '${key}' in '${field}'${didYouMean(key, KEYS)}`)
  }
}

function finish(draft: Partial<Draft>): Mount {
  const { type = 'bind' } = draft
  check(type, draft)
  const writable = type === 'cache' || type === 'tmpfs'
  return {
    type,
    from: draft.from === '' ? undefined : draft.from,
    source: draft.source,
    target: draft.target,
    readOnly: draft.readOnly ?? !writable,
    id: draft.id,
    sharing: draft.sharing,
    required: draft.required ?? false,
    size: draft.size,
    mode: draft.mode,
    uid: draft.uid,
    gid: draft.gid,
    env: draft.env,
  }
}

function check(type: Mount['type'], mount: Partial<Draft>): void {
  const refuse = (key: string): never => {
    throw new SyntaxFailure(`unexpected key '${key}' for mount type '${type}'`)
  }
  const owned = type === 'secret' || type === 'ssh' || type === 'cache'
  for (const key of ['mode', 'uid', 'gid'] as const)
    if (mount[key] !== undefined && !owned)
      throw new SyntaxFailure(`${key} not allowed for ${JSON.stringify(type)} type mounts`)
  if (mount.required !== undefined && type !== 'secret' && type !== 'ssh') refuse('required')
  if (mount.size !== undefined && type !== 'tmpfs') refuse('size')
  if (mount.env !== undefined && type !== 'secret') refuse('env')
  if (type === 'secret') checkSecret(mount)
  else if (mount.sharing !== undefined && type !== 'cache')
    throw new SyntaxFailure(`invalid cache sharing set for ${type} mount`)
  else if (type !== 'ssh' && isRoot(mount.target))
    throw new SyntaxFailure('invalid mount target "/"', { hint: TARGET })
}

function checkSecret({ from, sharing, source, target, id }: Partial<Draft>): void {
  if (from !== undefined && from !== '') throw new SyntaxFailure('secret mount should not have a from')
  if (sharing !== undefined) throw new SyntaxFailure('secret mount should not define sharing')
  if ((source ?? '') === '' && (target ?? '') === '' && (id ?? '') === '')
    throw new SyntaxFailure('invalid secret mount. one of source, target required')
  if ((source ?? '') !== '' && (id ?? '') !== '') throw new SyntaxFailure("both source and id can't be set")
}

const TARGET = 'Add target=/path: the place in the container where the mount is to appear.'

function isRoot(target = ''): boolean {
  return target === ''
    ? true
    : target.startsWith('/') && target.split('/').every((part) => part === '' || part === '.')
}

function oneOf<T extends string>(allowed: readonly T[], value: string, message: string): T {
  const found = allowed.find((candidate) => candidate === value.toLowerCase())
  if (found !== undefined) return found
  const hint = `Possible are ${allowed.join(', ')}.`
  throw new SyntaxFailure(`${message}${didYouMean(value, allowed)}`, { hint })
}

function boolean(key: string, value: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false
  throw new SyntaxFailure(`invalid value for ${key}: ${value}`, { hint: 'It is true or false.' })
}

function integer(key: 'mode' | 'uid' | 'gid', value: string): number {
  const octal = key === 'mode'
  const number = (octal ? /^[0-7]+$/ : /^\d+$/).test(value) ? Number.parseInt(value, octal ? 8 : 10) : NaN
  if (number < 2 ** 32) return number
  throw new SyntaxFailure(`invalid value ${value} for ${key}`)
}

/** Bytes in `64m`, `1.5GiB`, `512`; units are powers of 1024, as docker counts memory. */
function ramBytes(value: string): number {
  const bytes = parseByteSize(value)
  if (bytes !== undefined) return bytes
  throw new SyntaxFailure(`invalid value for size: ${value}`, { hint: 'A size is like 64m or 1g.' })
}

/** Fields of one comma-separated record; a field in double quotes may hold commas, and quotes doubled. */
function splitCsv(text: string): readonly string[] {
  const fields: string[] = []
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y
  for (;;) {
    const match = field.exec(text)
    if (match === null)
      throw new SyntaxFailure(
        'failed to parse csv mounts: quotes in a field are not closed or not around all of it',
      )
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '')
    if (match[3] === '') return fields
  }
}

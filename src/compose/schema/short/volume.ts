import { posix } from 'node:path'
import { problemAt } from '../../document/errors.ts'
import { type Node, type Plain, type Scalar, nodeOf } from '../../document/node.ts'
import { scalarText } from '../scalars.ts'

const PROPAGATIONS = new Set(['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave'])

/** `[SOURCE:]TARGET[:OPTION,…]` as a mount. A source that looks like a path is bound, any other names a volume. */
export function expandVolume(item: Scalar): readonly Node[] {
  const text = scalarText(item.value)
  const fields = splitFields(text)
  if (text === '' || fields.length > 3 || fields.some((field) => field === '')) {
    throw problemAt(item.place, `invalid volume ${JSON.stringify(text)}: want [SOURCE:]TARGET[:OPTIONS]`)
  }
  const [first = '', target, options] = fields
  const mount =
    target === undefined ? mountOf(undefined, first, []) : mountOf(first, target, options?.split(',') ?? [])
  return [nodeOf(mount, item.place)]
}

function mountOf(source: string | undefined, target: string, options: readonly string[]): Plain {
  const isBind = source !== undefined && isPath(source)
  const common = {
    type: isBind ? 'bind' : 'volume',
    ...(source === undefined ? {} : { source }),
    target: cleanTarget(target),
    ...(options.includes('ro') ? { read_only: true } : {}),
  }
  const subpath = options.find((option) => option.startsWith('subpath='))?.slice('subpath='.length)
  const volume = {
    ...(options.includes('nocopy') ? { nocopy: true } : {}),
    ...(subpath === undefined ? {} : { subpath }),
  }
  if (!isBind) return { ...common, volume }
  const selinux = options.find((option) => option === 'z' || option === 'Z')
  const propagation = options.find((option) => PROPAGATIONS.has(option))
  const bind = {
    ...(selinux === undefined ? {} : { selinux }),
    ...(propagation === undefined ? {} : { propagation }),
    create_host_path: true,
  }
  return { ...common, bind, ...(Object.keys(volume).length === 0 ? {} : { volume }) }
}

/** Without what adds nothing to a path. */
function cleanTarget(target: string): string {
  const clean = posix.normalize(target)
  return clean === '/' ? clean : clean.replace(/\/$/, '')
}

/** At colons; a single letter before one is the drive of a Windows path. */
function splitFields(text: string): readonly string[] {
  const fields: string[] = []
  let field = ''
  for (const character of text) {
    if (character !== ':' || /^[a-zA-Z]$/.test(field)) field += character
    else {
      fields.push(field)
      field = ''
    }
  }
  return [...fields, field]
}

function isPath(source: string): boolean {
  return /^[./~]/.test(source) || /^[a-zA-Z]:/.test(source) || source.startsWith('\\\\')
}

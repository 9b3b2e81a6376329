import { SyntaxFailure } from './failure.ts'

/** What `--chmod` says: bits, or changes to what a file has, in order. */
export type FileMode =
  | { readonly type: 'octal'; readonly mode: number }
  | { readonly type: 'symbolic'; readonly changes: readonly ModeChange[] }

/** One change such as `go=rX`: for the classes of `who` (user, group, others). */
export interface ModeChange {
  readonly who: readonly ('u' | 'g' | 'o')[]
  readonly operation: '+' | '-' | '='
  /** Letters of `rwxXst`, or a class to copy from. */
  readonly permissions: string
}

const CLAUSE = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/
const SHIFT = { u: 6, g: 3, o: 0 } as const
const SPECIAL = { u: 0o4000, g: 0o2000, o: 0 } as const

/** Reads an octal mode up to 7777 or symbolic changes by commas. */
export function parseFileMode(text: string): FileMode {
  const invalid = new SyntaxFailure(`invalid chmod value ${JSON.stringify(text)}`, {
    hint: 'A mode is octal, like 0755, or symbolic, like u=rwX,go=rX.',
  })
  if (/^[0-7]+$/.test(text)) {
    const mode = Number.parseInt(text, 8)
    if (mode > 0o7777) throw invalid
    return { type: 'octal', mode }
  }
  const changes = text.split(',').flatMap((clause) => {
    const match = CLAUSE.exec(clause)
    if (match === null) throw invalid
    return readClause(match[1] ?? '', match[2] ?? '')
  })
  return { type: 'symbolic', changes }
}

/** The permission bits (up to 7777) of a file that had `current`. */
export function applyFileMode(mode: FileMode, current: number, directory: boolean): number {
  if (mode.type === 'octal') return mode.mode
  return mode.changes.reduce((bits, change) => applyChange(change, bits, directory), current & 0o7777)
}

function readClause(classes: string, operations: string): ModeChange[] {
  const all = classes === '' || classes.includes('a')
  const who = (['u', 'g', 'o'] as const).filter((each) => all || classes.includes(each))
  return Array.from(operations.matchAll(/([-+=])([^-+=]*)/g), ([, operation, permissions = '']) => ({
    who,
    operation: operation === '+' || operation === '-' ? operation : '=',
    permissions,
  }))
}

function applyChange({ who, operation, permissions }: ModeChange, bits: number, directory: boolean): number {
  let set = 0
  let clear = 0
  for (const each of who) {
    const copied = permissions === 'u' || permissions === 'g' || permissions === 'o' ? permissions : undefined
    const rwx = copied === undefined ? ordinary(permissions, bits, directory) : (bits >> SHIFT[copied]) & 7
    set |= rwx << SHIFT[each]
    if (permissions.includes('s')) set |= SPECIAL[each]
    clear |= (7 << SHIFT[each]) | (directory ? 0 : SPECIAL[each])
  }
  if (permissions.includes('t')) set |= 0o1000
  if (operation === '+') return bits | set
  return operation === '-' ? bits & ~set : (bits & ~clear) | set
}

/** `X` is `x` for directories and for what somebody may execute already. */
function ordinary(permissions: string, bits: number, directory: boolean): number {
  const execute =
    permissions.includes('x') || (permissions.includes('X') && (directory || (bits & 0o111) !== 0))
  return (permissions.includes('r') ? 4 : 0) | (permissions.includes('w') ? 2 : 0) | (execute ? 1 : 0)
}

import { EngineError } from '#base/errors.ts'
import type { ProcessUser } from './spec.ts'

/** Largest passwd or group file that is read from an image; a reader must stop there. */
export const MAX_ACCOUNT_FILE = 1024 * 1024

/** The kernel has 32 bits, but everything above 2^31 - 1 is negative to somebody. */
const MAX_ID = 2 ** 31 - 1

interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

interface Group {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

/**
 * Resolves `user`, `user:group`, `:group` or the empty string against the image's own files (empty text: no file).
 *
 * A number is a number: it is never looked up as a name, so a passwd line `1000:x:0:0` changes nothing
 * (CVE-2026-46680). The primary group is always among the supplementary ones (CVE-2022-36109).
 */
export function resolveUser(
  spec: string,
  passwd: string,
  group: string,
  groupAdd: readonly string[],
): ProcessUser {
  checkSize(passwd, 'passwd')
  checkSize(group, 'group')
  const [userPart = '', groupPart = '', ...rest] = spec.split(':')
  if (rest.length > 0) throw invalid(`invalid user ${JSON.stringify(spec)}: want user or user:group`)

  const account = findAccount(userPart === '' ? '0' : userPart, passwd)
  const gid = groupPart === '' ? account.gid : findGroup(groupPart, group)
  const memberOf = groupPart === '' ? groupsOf(account.name, group) : []
  const added = groupAdd.map((wanted) => findGroup(wanted, group))
  return {
    uid: account.uid,
    gid,
    additionalGids: [...new Set([gid, ...memberOf, ...added])],
    home: account.home,
  }
}

function findAccount(wanted: string, passwd: string): Account {
  const uid = parseId(wanted)
  for (const account of accounts(passwd)) {
    if (uid === undefined ? account.name === wanted : account.uid === uid) return account
  }
  if (uid === undefined) {
    throw invalid(`unable to find user ${wanted}: no matching entries in passwd file`)
  }
  return { name: '', uid, gid: 0, home: '/' }
}

function findGroup(wanted: string, groupFile: string): number {
  const gid = parseId(wanted)
  if (gid !== undefined) return gid
  for (const group of groups(groupFile)) {
    if (group.name === wanted) return group.gid
  }
  throw invalid(`unable to find group ${wanted}: no matching entries in group file`)
}

function groupsOf(user: string, groupFile: string): number[] {
  if (user === '') return []
  return [...groups(groupFile)].filter(({ members }) => members.includes(user)).map(({ gid }) => gid)
}

/**
 * The number that `text` is, or undefined for a name. Whatever Docker would read as a number but is none that a process
 * can have (`-1`, `4294967296`) is refused rather than taken for a name (CVE-2024-40635).
 */
function parseId(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined
  const id = Number(text)
  if (/^\d/.test(text) && id <= MAX_ID) return id
  throw invalid(`invalid id ${text}: uids and gids must be in range 0-${MAX_ID}`)
}

/** passwd(5). Lines that are not whole are nobody's: an empty uid field must not become 0. */
function* accounts(passwd: string): Generator<Account> {
  for (const [name = '', , uid = '', gid = '', , home = ''] of records(passwd)) {
    const ids = [fileId(uid), fileId(gid)]
    if (name !== '' && ids[0] !== undefined && ids[1] !== undefined) {
      yield { name, uid: ids[0], gid: ids[1], home: home || '/' }
    }
  }
}

/** group(5). */
function* groups(groupFile: string): Generator<Group> {
  for (const [name = '', , gid = '', members = ''] of records(groupFile)) {
    const id = fileId(gid)
    if (name !== '' && id !== undefined) yield { name, gid: id, members: members.split(',') }
  }
}

function* records(text: string): Generator<string[]> {
  let start = 0
  while (start < text.length) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    const line = text.slice(start, end).trim()
    if (line !== '' && !line.startsWith('#')) yield line.split(':').map((field) => field.trim())
    start = end + 1
  }
}

function fileId(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined
  const id = Number(text)
  return id <= MAX_ID ? id : undefined
}

function checkSize(text: string, file: string): void {
  if (text.length > MAX_ACCOUNT_FILE) {
    throw invalid(`the image's ${file} file is larger than ${MAX_ACCOUNT_FILE} bytes`)
  }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'USER_INVALID' })
}

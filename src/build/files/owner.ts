import { EngineError, engineErrorOf } from '#base/errors.ts'
import { MAX_ACCOUNT_FILE, resolveUser } from '#runtime/users.ts'
import type { Draft } from './draft.ts'
import type { FilesBelow } from './files-below.ts'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

const NUMBER = /^[-+]?\d+$/
/** Files can have what processes cannot; all bits set means nobody (chown(2)). */
const MAX_ID = 2 ** 32 - 2

/** Told of a name that is not there; may throw. */
export type UnknownName = (kind: 'user' | 'group', name: string) => void

export interface Accounts {
  readonly below: FilesBelow
  readonly unknown: UnknownName
}

/**
 * Who `--chown`, or the USER of a WORKDIR, means: `user`, `user:group` or `:group`. Names are looked up in /etc/passwd and
 * /etc/group below; a number is a number and, without a group, the group's too; a name's group is its primary one; nothing
 * behind a colon is root's. As BuildKit has it, a user who is not there is root, and a group that is not there changes
 * nothing: either may come later.
 */
export async function ownerOf(text: string, draft: Draft, accounts: Accounts): Promise<Owner> {
  const colon = text.indexOf(':')
  const user = colon === -1 ? text : text.slice(0, colon)
  const owner = await userOf(user, draft, accounts)
  return colon === -1
    ? owner
    : { uid: owner.uid, gid: await groupOf(text.slice(colon + 1), owner, draft, accounts) }
}

async function userOf(user: string, draft: Draft, { below, unknown }: Accounts): Promise<Owner> {
  if (NUMBER.test(user)) {
    const id = numberOf(user)
    return { uid: id, gid: id }
  }
  if (isRoot(user)) return { uid: 0, gid: 0 }
  const passwd = await accountFile('/etc/passwd', draft, below)
  const found = known(() => resolveUser(user, passwd, '', []))
  if (found === undefined) unknown('user', user)
  return found ?? { uid: 0, gid: 0 }
}

async function groupOf(
  group: string,
  owner: Owner,
  draft: Draft,
  { below, unknown }: Accounts,
): Promise<number> {
  if (NUMBER.test(group)) return numberOf(group)
  if (isRoot(group)) return 0
  const groups = await accountFile('/etc/group', draft, below)
  const gid = known(() => resolveUser(`0:${group}`, '', groups, []).gid)
  if (gid === undefined) unknown('group', group)
  return gid ?? owner.gid
}

/** Nobody named, or the one name that means the same everywhere. */
function isRoot(name: string): boolean {
  return name === '' || name === 'root'
}

function numberOf(text: string): number {
  const id = Number(text)
  if (id >= 0 && id <= MAX_ID) return id
  throw new EngineError('invalid_argument', `invalid id ${text}: uids and gids of files are 0-${MAX_ID}`, {
    code: 'USER_INVALID',
  })
}

/** Undefined for a name that is not there. */
function known<T>(find: () => T): T | undefined {
  try {
    return find()
  } catch (error) {
    if (engineErrorOf(error)?.code !== 'USER_INVALID') throw error
    return undefined
  }
}

/** Empty when it is not there. */
async function accountFile(path: string, draft: Draft, below: FilesBelow): Promise<string> {
  const place = draft.resolve(path)
  if (place.kind !== 'file' || place.found.kind !== 'below' || place.found.file.type !== 'file') return ''
  if (place.found.file.size > MAX_ACCOUNT_FILE) {
    throw new EngineError('invalid_argument', `${path} is larger than ${MAX_ACCOUNT_FILE} bytes`, {
      code: 'ACCOUNTS_TOO_LARGE',
    })
  }
  return Buffer.concat(await Array.fromAsync(below.read(place.found.file.path))).toString()
}

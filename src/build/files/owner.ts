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

/**
 * Who `--chown`, or the USER of a WORKDIR, means: `user`, `user:group` or `:group`. Names are looked up in /etc/passwd and
 * /etc/group below; a number is a number and, without a group, the group's too; a name's group is its primary one. As
 * BuildKit has it, a user who is not there is root, and a group that is not there changes nothing: either may come later.
 */
export async function ownerOf(text: string, draft: Draft, below: FilesBelow): Promise<Owner> {
  const colon = text.indexOf(':')
  const user = colon === -1 ? text : text.slice(0, colon)
  const group = colon === -1 ? '' : text.slice(colon + 1)
  const owner = await userOf(user, draft, below)
  if (group === '') return owner
  if (NUMBER.test(group)) return { uid: owner.uid, gid: numberOf(group) }
  const groups = await accountFile('/etc/group', draft, below)
  const gid = known(() => resolveUser(`0:${group}`, '', groups, []).gid)
  return { uid: owner.uid, gid: gid ?? owner.gid }
}

async function userOf(user: string, draft: Draft, below: FilesBelow): Promise<Owner> {
  if (NUMBER.test(user)) {
    const id = numberOf(user)
    return { uid: id, gid: id }
  }
  const passwd = user === '' ? '' : await accountFile('/etc/passwd', draft, below)
  return known(() => resolveUser(user, passwd, '', [])) ?? { uid: 0, gid: 0 }
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

import { EngineError, engineErrorOf } from '#base/errors.ts'
import { MAX_ACCOUNT_FILE, resolveUser } from '#runtime/users.ts'
import type { Draft } from './draft.ts'
import type { FilesBelow } from './files-below.ts'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

const NUMBER = /^[-+]?\d+$/

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
  const groups = NUMBER.test(group) ? '' : await accountFile('/etc/group', draft, below)
  const gid = known(() => resolveUser(`0:${group}`, '', groups, []).gid, group)
  return { uid: owner.uid, gid: gid ?? owner.gid }
}

async function userOf(user: string, draft: Draft, below: FilesBelow): Promise<Owner> {
  if (NUMBER.test(user)) {
    const { uid } = resolveUser(user, '', '', [])
    return { uid, gid: uid }
  }
  const passwd = user === '' ? '' : await accountFile('/etc/passwd', draft, below)
  const account = known(() => resolveUser(user, passwd, '', []), user)
  return account ?? { uid: 0, gid: 0 }
}

/** Undefined for a name that is not there; a number that is none stays an error. */
function known<T>(find: () => T, wanted: string): T | undefined {
  try {
    return find()
  } catch (error) {
    if (NUMBER.test(wanted) || engineErrorOf(error)?.code !== 'USER_INVALID') throw error
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

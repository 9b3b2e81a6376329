import { EngineError, engineErrorOf } from '#base/errors.ts'
import { MAX_ACCOUNT_FILE, resolveUser } from '#runtime/users.ts'
import type { Draft } from './draft.ts'
import type { FilesBelow } from './files-below.ts'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

const NUMBER = /^\d+$/

/**
 * Who `--chown` means. Names are looked up in /etc/passwd and /etc/group below, `USER_INVALID` when they are not there. A
 * number is a number and, without a group, the group's too; a name's group is its primary one.
 */
export async function ownerOf(text: string, draft: Draft, below: FilesBelow): Promise<Owner> {
  const [user = '', group = '', ...rest] = text.split(':')
  if (rest.length > 0) throw invalid(`invalid owner ${JSON.stringify(text)}: want user or user:group`)
  const passwd = NUMBER.test(user) || user === '' ? '' : await accountFile('/etc/passwd', draft, below)
  const { uid, gid } = resolveUser(user, passwd, '', [])
  if (group === '') return { uid, gid: NUMBER.test(user) ? uid : gid }
  const groups = NUMBER.test(group) ? '' : await accountFile('/etc/group', draft, below)
  return { uid, gid: resolveUser(`0:${group}`, '', groups, []).gid }
}

/** Whose a WORKDIR is: root's, or no other group's, when the files below do not know the name: it may come later. */
export async function ownerOrRoot(text: string, draft: Draft, below: FilesBelow): Promise<Owner> {
  for (const known of [text, text.split(':')[0] ?? '']) {
    try {
      return await ownerOf(known, draft, below)
    } catch (error) {
      if (engineErrorOf(error)?.code !== 'USER_INVALID') throw error
    }
  }
  return { uid: 0, gid: 0 }
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

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'USER_INVALID' })
}

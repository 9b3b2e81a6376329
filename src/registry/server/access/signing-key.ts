import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { isErrno, messageOf } from '#base/errors.ts'
import { writeFileDurably } from '#os/files.ts'
import { wrongSigningKey } from './errors.ts'

/** The pair of P-256 keys that the registry's tokens are signed with. */
export interface SigningKey {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/**
 * Reads the key at `path`, or makes it when there is none; only its owner may read it. Removing the file ends every token
 * that was signed with it, at most minutes before its time. Throws `invalid_argument` that names the file.
 */
export async function openSigningKey(path: string): Promise<SigningKey> {
  const pem = await readKey(path)
  if (pem === undefined) return createKey(path)
  try {
    const privateKey = createPrivateKey(pem)
    if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('it is no key on P-256')
    return { privateKey, publicKey: createPublicKey(privateKey) }
  } catch (error) {
    const advice = 'remove it, and the registry makes another one'
    throw wrongSigningKey(`${path} is no signing key (${messageOf(error)}); ${advice}`, error)
  }
}

async function readKey(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, 'r')
    const { mode } = await file.stat()
    if ((mode & 0o077) !== 0) {
      throw wrongSigningKey(`${path} can be read by others than its owner; chmod 600 ${path}`)
    }
    return await file.readFile('utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

async function createKey(path: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
  await writeFileDurably(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  return { privateKey, publicKey }
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError, isErrno } from '#base/errors.ts'
import { isId, newId } from '#base/ids.ts'
import { writeFileDurably } from '#os/files.ts'

/** What a data root keeps of itself: who it is, and the ids of the networks that are always there. */
export interface Identity {
  readonly engine: string
  readonly networks: { readonly bridge: string; readonly host: string; readonly none: string }
  /** RFC 3339. */
  readonly createdAt: string
}

/** Reads the identity of a data root, or gives it one. */
export async function identityOf(dataRoot: string): Promise<Identity> {
  const file = join(dataRoot, 'identity.json')
  try {
    return checked(JSON.parse(await readFile(file, 'utf8')) as Identity)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) {
      throw new EngineError('data_loss', `cannot read ${file}; restore it or move it away to get a new one`, {
        code: 'IDENTITY_DAMAGED',
        cause: error,
      })
    }
  }
  const identity: Identity = {
    engine: crypto.randomUUID(),
    networks: { bridge: newId(), host: newId(), none: newId() },
    createdAt: new Date().toISOString(),
  }
  await writeFileDurably(file, `${JSON.stringify(identity)}\n`)
  return identity
}

function checked(identity: Identity): Identity {
  const { engine, networks, createdAt } = identity
  const ids = [networks.bridge, networks.host, networks.none]
  if (typeof engine === 'string' && typeof createdAt === 'string' && ids.every(isId)) return identity
  throw new Error('a field is missing')
}

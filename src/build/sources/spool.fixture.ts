import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Spool, type SpoolDeps } from './source-copies.ts'

/** A spool below a directory of its own; nothing is copied for mounts unless there are trees. */
export async function testSpool(
  trees: SpoolDeps['trees'] = { write: () => Promise.reject(new Error('nothing is copied')) },
): Promise<
  AsyncDisposable & { readonly spool: Spool; readonly path: string; left(): Promise<readonly string[]> }
> {
  const path = await mkdtemp(join(tmpdir(), 'berth-spool-'))
  const removeTree = (directory: string): Promise<void> => rm(directory, { recursive: true })
  const spool = new Spool({ dataRoot: path, helper: { removeTree }, trees })
  await spool.recover()
  return {
    spool,
    path,
    left: () => readdir(join(path, 'build', 'contexts')),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  }
}

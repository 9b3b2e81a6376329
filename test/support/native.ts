import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** Directory of the native programs under test: BERTH_NATIVE_BUILD, such as the sanitizer build, or native/build. */
export const nativeBuild = resolve(
  process.env['BERTH_NATIVE_BUILD'] ?? join(import.meta.dirname, '../../native/build'),
)

/** A private directory that is removed again. */
export async function temporaryDirectory(name: string): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), `berth-${name}-`))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

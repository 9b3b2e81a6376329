import { chmod, chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunMount } from '#build/graph/operations.ts'
import type { Secrets } from '#build/solve/ports.ts'
import type { Helper } from '#os/helper.ts'
import { noSuchSecret } from './errors.ts'

type SecretMount = Extract<RunMount, { type: 'secret' }>

export interface StepSecrets {
  /** What the shim is to pin: file in the helper's namespace, by target. */
  readonly files: readonly { readonly source: string; readonly target: string }[]
  /** `NAME=value` */
  readonly env: readonly string[]
}

export interface StepSecretsDeps {
  readonly helper: Pick<Helper, 'mountVolume' | 'unmount' | 'pid'>
  readonly execRoot: string
}

const MS_NOSUID = 2
const MS_NODEV = 4
const MS_NOEXEC = 8

/**
 * The secrets of a step: files in a filesystem in memory that only the helper and the step's shim ever see, and variables. One
 * that the client does not have is left out unless it is required.
 */
export async function stepSecrets(
  mounts: readonly SecretMount[],
  secrets: Secrets,
  id: string,
  deps: StepSecretsDeps,
  acquired: AsyncDisposableStack,
): Promise<StepSecrets> {
  const files: { source: string; target: string }[] = []
  const env: string[] = []
  const directory = join(deps.execRoot, 'mnt', 'secrets', id)
  for (const mount of mounts) {
    const value = await secrets.secret(mount.id)
    if (value === undefined) {
      if (mount.required) throw noSuchSecret(mount.id)
      continue
    }
    if (mount.env !== undefined) env.push(`${mount.env}=${Buffer.from(value).toString('utf8')}`)
    if (mount.target === undefined) continue
    if (files.length === 0) await mountMemory(directory, deps, acquired)
    const source = join(directory, String(files.length))
    await write(join(`/proc/${deps.helper.pid}/root`, source), value, mount)
    files.push({ source, target: mount.target })
  }
  return { files, env }
}

async function mountMemory(
  directory: string,
  { helper }: StepSecretsDeps,
  acquired: AsyncDisposableStack,
): Promise<void> {
  await helper.mountVolume(directory, {
    type: 'tmpfs',
    source: 'tmpfs',
    flags: MS_NOSUID | MS_NODEV | MS_NOEXEC,
    data: 'mode=0700',
  })
  acquired.defer(() => helper.unmount(directory))
}

async function write(file: string, value: Uint8Array, { mode, uid, gid }: SecretMount): Promise<void> {
  await writeFile(file, value, { mode: 0o600, flag: 'wx' })
  await chown(file, uid, gid)
  await chmod(file, mode & 0o7777)
}

import { posix } from 'node:path'
import { SyntaxFailure } from '../dockerfile/failure.ts'
import { cleanPath } from '../dockerfile/ignore.ts'
import type { Mount } from '../dockerfile/run-mount.ts'
import type { FileOrigin, RunMount } from '../graph/operations.ts'

export interface MountInput {
  readonly workdir: string
  /** BUILDKIT_CACHE_MOUNT_NS: caches of other namespaces are others. */
  readonly cacheNamespace: string | undefined
  /** What the mounts' `from` names, in their order; undefined for those without. */
  readonly origins: readonly (FileOrigin | undefined)[]
}

/** The mounts of a RUN with their defaults. Throws SyntaxFailure for a place where nothing can be mounted. */
export function runMounts(mounts: readonly Mount[], input: MountInput): readonly RunMount[] {
  const agents = mounts.filter(({ type }) => type === 'ssh')
  return mounts.map((mount, at) => runMount(mount, input, input.origins[at], agents.indexOf(mount)))
}

/** `number`: of an agent among the agents. */
function runMount(mount: Mount, input: MountInput, from: FileOrigin | undefined, number: number): RunMount {
  switch (mount.type) {
    case 'bind': {
      const origin = from ?? { kind: 'context', name: 'context' }
      const source = sourceOf(mount)
      return {
        type: 'bind',
        from: origin,
        source,
        target: targetOf(mount.target, input),
        readOnly: mount.readOnly,
      }
    }
    case 'cache':
      return cacheMount(mount, input, from)
    case 'secret':
      return secretMount(mount, input)
    case 'tmpfs':
      return { type: 'tmpfs', target: targetOf(mount.target, input), size: mount.size || undefined }
    case 'ssh':
      return agentMount(mount, input, number)
  }
}

function cacheMount(mount: Mount, input: MountInput, from: FileOrigin | undefined): RunMount {
  const { id, sharing = 'shared', readOnly, mode = 0o755, uid = 0, gid = 0 } = mount
  const name = id === undefined || id === '' ? cleanPath(mount.target ?? '') : id
  const namespace = input.cacheNamespace ?? ''
  return {
    type: 'cache',
    id: namespace === '' ? name : `${namespace}/${name}`,
    target: targetOf(mount.target, input),
    sharing,
    from: from?.kind === 'scratch' ? undefined : from,
    source: sourceOf(mount),
    readOnly,
    mode,
    uid,
    gid,
  }
}

function secretMount(mount: Mount, input: MountInput): RunMount {
  const { env, required, mode = 0o400, uid = 0, gid = 0 } = mount
  const given = mount.target === '' ? undefined : mount.target
  const id = mount.source || mount.id || posix.basename(given ?? '')
  const file = given ?? (env === undefined ? `/run/secrets/${posix.basename(id)}` : undefined)
  const target = file === undefined ? undefined : targetOf(file, input)
  return { type: 'secret', id, target, env, required, mode, uid, gid }
}

function agentMount(mount: Mount, input: MountInput, number: number): RunMount {
  const { required, mode = 0o600, uid = 0, gid = 0 } = mount
  const target = targetOf(mount.target || `/run/buildkit/ssh_agent.${number}`, input)
  return { type: 'ssh', id: mount.id || 'default', target, required, mode, uid, gid }
}

/** A path in the origin, whose root nothing leaves. */
function sourceOf({ source = '' }: Mount): string {
  return cleanPath(`/${source}`)
}

function targetOf(target: string | undefined, { workdir }: MountInput): string {
  const given = target ?? ''
  const path = cleanPath(given.startsWith('/') ? given : `${workdir}/${given}`)
  if (path !== '/') return path
  throw new SyntaxFailure('invalid mount target "/"', {
    hint: 'Add target=/path: the place in the container where the mount is to appear.',
  })
}

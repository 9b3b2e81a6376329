import type { PlannedRemoval } from '#api/prune-plan.ts'
import type { Context } from './command.ts'
import { commandError } from './errors.ts'

const ANONYMOUS = 'com.docker.volume.anonymous'

/** What `rm` would remove: containers, and with `volumes` those anonymous ones that nobody else uses. */
export async function containersToRemove(
  refs: readonly string[],
  options: { readonly force: boolean; readonly volumes: boolean },
  context: Context,
): Promise<PlannedRemoval[]> {
  const plans = await Promise.all(refs.map((ref) => one(ref, options, context)))
  return plans.flat()
}

async function one(
  ref: string,
  { force, volumes }: { readonly force: boolean; readonly volumes: boolean },
  { client }: Context,
): Promise<PlannedRemoval[]> {
  const { Id = '', Name, State, SizeRw, Mounts } = await client.containerQuery.inspect(ref, { size: true })
  const name = (Name ?? '').replace(/^\//, '')
  if (State?.Running === true && !force) {
    throw commandError(
      `cannot remove container "${name}": container is ${State.Status ?? 'running'}: stop the container before removing or force remove`,
    )
  }
  const container: PlannedRemoval = { Kind: 'container', ID: Id ?? '', Name: name, Size: SizeRw ?? 0 }
  if (!volumes) return [container]
  const names = (Mounts ?? []).flatMap((mount) => (mount.Type === 'volume' && mount.Name ? [mount.Name] : []))
  const found = await Promise.all(names.map((each) => client.volumes.inspect(each)))
  const alone = found.filter(({ Labels, ...volume }) => {
    const { Berth } = volume as { readonly Berth?: { readonly UsedBy?: readonly { readonly Id: string }[] } }
    const others = (Berth?.UsedBy ?? []).filter((user) => user.Id !== Id)
    return Labels?.[ANONYMOUS] !== undefined && others.length === 0
  })
  return [
    container,
    ...alone.map((volume) => ({ Kind: 'volume' as const, ID: volume.Name ?? '', Name: volume.Name ?? '' })),
  ]
}

import { projectError } from '../document/errors.ts'
import { imageOf } from '../model/names.ts'
import type { Project, Service } from '../model/project.ts'
import { parseDuration } from '../schema/long-duration.ts'
import type { Observed, ObservedImage } from '../state/observed.ts'
import type { Plan } from './operation.ts'
import { PlanBuilder } from './plan-builder.ts'

export interface ImageWishes {
  /** Instead of `pull_policy`. */
  readonly pull?: string | undefined
  readonly build: 'always' | 'missing' | 'never'
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Images that have to be built or fetched before containers can be planned: these depend on which image a name is. */
export function planImages(
  project: Project,
  { images }: Pick<Observed, 'images'>,
  wishes: ImageWishes,
): Plan {
  const builder = new PlanBuilder()
  const built = imagesBuiltHere(project)
  for (const [name, service] of Object.entries(project.services)) {
    if (service.provider !== undefined) continue
    const image = imageOf(project.name, name, service)
    const found = images.get(image)
    const policy = wishes.pull ?? service.pull_policy ?? 'missing'
    const cause = reasonToBuild(service, found, policy, wishes)
    if (cause !== undefined) {
      builder.add({ type: 'build image', image, service: name }, cause, builtBefore(project, service))
      continue
    }
    const reason = reasonToPull(service, found, policy, wishes.now)
    const comesFromBuild = service.build === undefined && built.has(image) && wishes.build !== 'never'
    if (reason === undefined || comesFromBuild) continue
    if (policy === 'never')
      throw projectError(
        `service ${JSON.stringify(name)}: image ${image} is not here, and its pull policy is never; 'berth pull ${image}' gets it`,
      )
    if (service.build !== undefined && service.image === undefined) {
      throw projectError(
        `service ${JSON.stringify(name)}: image ${image} is not here, and --no-build keeps it from being built`,
      )
    }
    builder.add({ type: 'pull image', image, service: name }, reason)
  }
  return builder.plan
}

/** Images that another service may use without building them itself. */
function imagesBuiltHere({ name, services }: Project): ReadonlySet<string> {
  const built = Object.entries(services).filter(([, { build }]) => build !== undefined)
  return new Set(built.map(([key, service]) => imageOf(name, key, service)))
}

function reasonToBuild(
  service: Service,
  found: ObservedImage | undefined,
  policy: string,
  { build }: ImageWishes,
): string | undefined {
  if (service.build === undefined || build === 'never') return undefined
  if (build === 'always') return 'a build is asked for'
  if (policy === 'build') return 'its pull policy is build'
  // With a name, it can also come from a registry, if that is what the policy says.
  return found === undefined && !(policy === 'always' && service.image !== undefined)
    ? 'it is not here'
    : undefined
}

function reasonToPull(
  service: Service,
  found: ObservedImage | undefined,
  policy: string,
  now: number,
): string | undefined {
  if (found === undefined) return 'it is not here'
  if (policy === 'always')
    return service.build === undefined || service.image !== undefined
      ? 'its pull policy is always'
      : undefined
  const period = periodOf(policy)
  if (period === undefined || (found.taggedAt !== undefined && now - found.taggedAt < period))
    return undefined
  return `its pull policy is ${policy}`
}

/** Milliseconds between looks at the registry; undefined for policies without. */
function periodOf(policy: string): number | undefined {
  if (policy === 'daily') return 86_400_000
  if (policy === 'weekly') return 7 * 86_400_000
  const [, every] = /^every_(.+)$/.exec(policy) ?? []
  const nanoseconds = every === undefined ? undefined : parseDuration(every)
  return nanoseconds === undefined ? undefined : nanoseconds / 1e6
}

/** Images of other services that this one is built from. */
function builtBefore(project: Project, { build }: Service): readonly string[] {
  return Object.values(build?.additional_contexts ?? {}).flatMap((context) => {
    const [, other] = /^service:(.+)$/.exec(context) ?? []
    const service = other === undefined ? undefined : project.services[other]
    return other === undefined || service === undefined
      ? []
      : [`build image ${imageOf(project.name, other, service)}`]
  })
}

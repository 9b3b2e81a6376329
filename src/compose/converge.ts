/**
 * `up` in three steps, twice: observe, plan, carry out. First images, because what a container has to be depends on which
 * image its name stands for; then everything else.
 */
import type { Client } from '#client/client.ts'
import { messageOf } from '#base/errors.ts'
import { containerBody } from './create/body.ts'
import { located } from './execute/blame.ts'
import { execute, type Reporter } from './execute/execute.ts'
import { type ImageSource, Performer } from './execute/performer.ts'
import { checkServiceFiles } from './execute/service-files.ts'
import { unlessGone } from './execute/unless-gone.ts'
import { serviceHash } from './model/hash.ts'
import { imageOf } from './model/names.ts'
import type { Project } from './model/project.ts'
import { differences } from './plan/differences.ts'
import { type ImageWishes, planImages } from './plan/images.ts'
import type { Operation, Plan } from './plan/operation.ts'
import { reconcile } from './plan/reconcile.ts'
import type { Wishes } from './plan/wishes.ts'
import { observe } from './state/observe.ts'
import type { Observed } from './state/observed.ts'

export interface Convergence {
  readonly client: Client
  readonly project: Project
  readonly wishes: Wishes
  readonly imageWishes: ImageWishes
  readonly images: ImageSource
  readonly parallel?: number | undefined
  readonly stopTimeout?: number | undefined
  readonly reporter: Reporter
  readonly signal: AbortSignal
  readonly warn: (message: string) => void
}

/** What would be done, in order; images that are missing are taken for new ones. */
export async function planConvergence(parts: Omit<Convergence, 'images' | 'reporter'>): Promise<Plan> {
  const { client, project, wishes, imageWishes, warn } = parts
  checkServiceFiles(project)
  const observed = await observe(client, project)
  const images = planImages(project, observed, imageWishes)
  const { plan, warnings } = await reconciled(client, project, observed, wishes)
  warnings.forEach(warn)
  const gets = new Map(
    images.map((operation) => [
      operation.type === 'pull image' || operation.type === 'build image' ? operation.image : '',
      operation.id,
    ]),
  )
  const ordered = plan.map((operation) => {
    if (operation.type !== 'create container' && operation.type !== 'replace container') return operation
    const service = project.services[operation.container.service]
    const get =
      service === undefined
        ? undefined
        : gets.get(imageOf(project.name, operation.container.service, service))
    return get === undefined ? operation : { ...operation, after: [get, ...operation.after] }
  })
  return [...images, ...ordered]
}

/** Makes the project what its files say. After a failure, what was made and never ran is gone again. */
export async function converge(parts: Convergence): Promise<void> {
  const { client, project, wishes, imageWishes, images, stopTimeout, warn } = parts
  checkServiceFiles(project)
  const before = await observe(client, project)
  const getting = planImages(project, before, imageWishes)
  await carryOut(getting, before)
  const observed = getting.length === 0 ? before : await observe(client, project)
  const { plan, warnings } = await reconciled(client, project, observed, wishes)
  warnings.forEach(warn)
  await carryOut(plan, observed)

  async function carryOut(operations: Plan, state: Observed): Promise<void> {
    if (operations.length === 0) return
    await using performer = new Performer({ client, project, observed: state, images, stopTimeout, warn })
    try {
      await execute(operations, (operation, signal) => performed(performer, operation, signal), parts)
    } catch (error) {
      await takenBack(performer)
      throw error
    }
  }

  async function takenBack(performer: Performer): Promise<void> {
    try {
      const names = await performer.takeBack()
      if (names.length > 0) warn(`removed again, because nothing ran: ${names.join(', ')}`)
    } catch (error) {
      warn(`what was made and did not run could not be removed again: ${messageOf(error)}`)
    }
  }

  async function performed(performer: Performer, operation: Operation, signal: AbortSignal): Promise<void> {
    try {
      await performer.perform(operation, signal)
    } catch (error) {
      throw signal.aborted ? error : located(project, operation, error)
    }
  }
}

async function reconciled(
  client: Client,
  project: Project,
  observed: Observed,
  wishes: Wishes,
): Promise<ReturnType<typeof reconcile>> {
  return reconcile(project, observed, wishes, await changesOf(client, project, observed))
}

/** For containers whose hash is another one: what has changed, as far as the engine tells. */
export async function changesOf(
  client: Client,
  project: Project,
  { containers }: Pick<Observed, 'containers'>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const changed = containers.flatMap((container) => {
    const service = project.services[container.service]
    const isChanged = service !== undefined && !container.oneoff && container.hash !== serviceHash(service)
    return isChanged ? [{ container, service }] : []
  })
  const found = changed.map(async ({ container, service }) => {
    const { id, number, name, service: key } = container
    const [inspected, image] = await Promise.all([
      client.containerQuery.inspect(id),
      unlessGone(client.images.inspect(container.imageId || container.image)),
    ])
    const wanted = containerBody(project, service, {
      service: key,
      number,
      name,
      image: imageOf(project.name, key, service),
      inherited: [],
      oneoff: false,
      hash: '',
      imageId: undefined,
      containerOf: (other) => containers.find((each) => each.service === other)?.id ?? other,
      aliases: true,
    })
    return [id, differences(wanted, inspected, image)] as const
  })
  return new Map(await Promise.all(found))
}

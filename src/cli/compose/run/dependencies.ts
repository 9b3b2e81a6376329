import { planImages } from '#compose/plan/images.ts'
import { idOf, type Action, type Plan } from '#compose/plan/operation.ts'
import type { Project } from '#compose/model/project.ts'
import { observe } from '#compose/state/observe.ts'
import { parseFlags } from '../../flags.ts'
import { type bringUp, carryOut } from '../carry-out.ts'
import type { ComposeContext } from '../subcommand.ts'
import { convergeFlags, imageWishesOf, wishesOf } from '../up-flags.ts'

interface Choices {
  readonly build: boolean
  readonly pull: string
  readonly 'remove-orphans': boolean
}

/** What a one-off container needs: networks and volumes, the services that its service depends on, and its image. */
export async function prepareDependencies(
  project: Project,
  name: string,
  choices: Choices,
  context: ComposeContext,
  up: typeof bringUp,
): Promise<void> {
  const { flags } = parseFlags(convergeFlags, [], { interspersed: true })
  const { [name]: own, ...others } = project.services
  if (own === undefined) return
  const needed: Project = { ...project, services: others, disabled: { ...project.disabled, [name]: own } }
  const wishes = wishesOf([], { ...flags, 'remove-orphans': choices['remove-orphans'] }, context)
  await up(needed, wishes, imageWishesOf(flags, context), {}, context)
  const alone: Project = { ...project, services: { [name]: own } }
  const observed = await observe(context.client, alone)
  const images = planImages(
    alone,
    observed,
    imageWishesOf({ ...flags, build: choices.build, pull: choices.pull }, context),
  )
  await carryOut(
    [...images, ...waits(own, others)],
    { ...project, services: project.services },
    observed,
    {},
    context,
  )
}

/** Until what it depends on is in the state that it wants. */
function waits({ depends_on = {} }: Project['services'][string], others: Project['services']): Plan {
  return Object.entries(depends_on).flatMap(([service, { condition, required }]) => {
    if (!Object.hasOwn(others, service) || condition === 'service_started') return []
    const action: Action = { type: 'wait for service', service, condition, required }
    return [{ ...action, id: idOf(action), cause: 'the command needs it', after: [] }]
  })
}

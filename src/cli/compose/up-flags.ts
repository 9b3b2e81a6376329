import type { ImageWishes } from '#compose/plan/images.ts'
import type { Wishes } from '#compose/plan/wishes.ts'
import { commandError } from '../errors.ts'
import { bool, integer, list, string, type Values } from '../flags.ts'
import type { ComposeContext } from './subcommand.ts'

/** Of `create` and `up`. */
export const createFlags = {
  build: bool('Build images before containers are made'),
  'force-recreate': bool('Make containers anew although nothing has changed'),
  'no-build': bool('Do not build, even where an image is missing'),
  'no-recreate': bool('Leave containers that are there as they are'),
  pull: string('When to fetch images: always, missing, never or build', { initial: 'policy' }),
  'quiet-pull': bool('Fetch images without showing progress'),
  'remove-orphans': bool('Remove containers of services that the files do not have'),
  scale: list('Number of containers of a service (SERVICE=NUMBER)'),
  yes: bool('Take yes for the answer to every question', { short: 'y' }),
} as const

/** Of `up`, as far as they decide what is made. */
export const convergeFlags = {
  ...createFlags,
  'always-recreate-deps': bool('Make anew what the named services need, too'),
  'no-deps': bool('Only the named services, not what they need'),
  'no-start': bool('Make containers, and do not start them'),
  rolling: bool('Start the new container of a service first, and stop the old one when it is healthy'),
  'renew-anon-volumes': bool('New volumes for those without a name, instead of the old ones', { short: 'V' }),
  timeout: integer('Seconds until a container that does not stop is killed', { short: 't' }),
} as const

type CreateValues = Values<typeof createFlags>
type ConvergeValues = Values<typeof convergeFlags>

export function wishesOf(
  named: readonly string[],
  flags: CreateValues & Partial<ConvergeValues>,
  context: ComposeContext,
): Wishes {
  if (flags['force-recreate'] && flags['no-recreate']) {
    throw commandError('--force-recreate and --no-recreate are incompatible')
  }
  if (flags['always-recreate-deps'] === true && flags['no-recreate']) {
    throw commandError('--always-recreate-deps and --no-recreate are incompatible')
  }
  const never = flags['no-recreate'] ? 'never' : undefined
  const configured = /^(?:1|true|yes)$/i.test(context.source.shell.get('COMPOSE_REMOVE_ORPHANS') ?? '')
  return {
    named,
    recreate: never ?? (flags['force-recreate'] ? 'always' : 'changed'),
    recreateDependencies: never ?? (flags['always-recreate-deps'] === true ? 'always' : 'changed'),
    starts: flags['no-start'] !== true,
    scale: parseScale(flags.scale),
    removeOrphans: flags['remove-orphans'] || configured,
    renewAnonymousVolumes: flags['renew-anon-volumes'] === true,
    recreateVolumes: flags.yes,
    rolling: flags.rolling === true,
  }
}

export function imageWishesOf(flags: CreateValues, context: ComposeContext): ImageWishes {
  if (flags.build && flags['no-build']) throw commandError('--build and --no-build are incompatible')
  const { pull } = flags
  if (!['policy', 'always', 'missing', 'never', 'build', 'if_not_present'].includes(pull)) {
    throw commandError(
      `invalid --pull option ${JSON.stringify(pull)}; want always, missing, never, build or policy`,
    )
  }
  return {
    pull: pull === 'policy' ? undefined : pull,
    build: flags.build ? 'always' : flags['no-build'] ? 'never' : 'missing',
    now: context.io.now(),
  }
}

/** `SERVICE=NUMBER`. */
export function parseScale(texts: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, service, number] = /^([^=]+)=(\d+)$/.exec(text) ?? []
      if (service === undefined)
        throw commandError(`invalid scale specifier ${JSON.stringify(text)}; want SERVICE=NUMBER`)
      return [service, Number(number)] as const
    }),
  )
}

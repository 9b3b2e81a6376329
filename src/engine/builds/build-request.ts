import { EngineError } from '#base/errors.ts'
import type { BuildRequest } from '#build/graph/plan.ts'
import { hostPlatform, parsePlatform } from '#oci/platform.ts'
import type { BuildContexts } from './contexts.ts'
import { outputNames } from './outputs.ts'
import type { BuildOptions } from './service.ts'

const NETWORKS = ['default', 'none', 'host'] as const

/** What the planner is asked, from what a client has asked and what came with it. */
export function buildRequest(
  options: BuildOptions,
  { dockerfile, ignore, named }: Pick<BuildContexts, 'dockerfile' | 'ignore' | 'named'>,
  entitlements: ReadonlySet<string>,
): BuildRequest {
  const { target, buildArgs, labels, noCache, noCacheFilter, extraHosts, limits } = options
  return {
    dockerfile: dockerfile.text,
    dockerfileName: dockerfile.name,
    ignore: ignore?.text,
    target,
    buildArgs,
    labels,
    platforms: options.platforms.length === 0 ? [hostPlatform()] : options.platforms.map(parsePlatform),
    contexts: named,
    noCache,
    noCacheFilter,
    network: networkOf(options.network),
    extraHosts,
    limits,
    entitlements,
    // Whoever asks for the network of the host for all steps has allowed it.
    allow: new Set([...options.allow, ...(options.network === 'host' ? ['network.host'] : [])]),
  }
}

/** Name under which builds are compared with each other: what is built, not what it is made of. */
export function slotOf(options: BuildOptions): string | undefined {
  const { context, dockerfile, target, tags, platforms, outputs } = options
  const file = 'path' in dockerfile ? dockerfile.path : dockerfile.name
  const place = placeOf(context) ?? outputNames(tags, outputs)[0] ?? sentFrom(context)
  return place === undefined ? undefined : JSON.stringify([place, file, target ?? '', platforms])
}

function placeOf(context: BuildOptions['context']): string | undefined {
  if (context.type === 'directory') return context.path
  return context.type === 'remote' ? context.url : undefined
}

/** What its client calls the directory: it says less than the name of what is built. */
function sentFrom(context: BuildOptions['context']): string | undefined {
  return context.type === 'session' ? context.directory : undefined
}

function networkOf(text: string | undefined): BuildRequest['network'] {
  const mode = text === undefined || text === '' || text === 'bridge' ? 'default' : text
  const known = NETWORKS.find((each) => each === mode)
  if (known !== undefined) return known
  throw new EngineError(
    'invalid_argument',
    `network mode "${mode}" not supported by builds: steps run with "default", "none" or "host"`,
    { code: 'BUILD_NETWORK_MODE' },
  )
}

import {
  BUILD_EXTRAS_TYPE,
  type BuildExtras,
  buildExtrasSchema,
  type ContextExtra,
} from '#api/build-extras.ts'
import { parseRegistryConfig } from '#api/registry-auth.ts'
import { EngineError } from '#base/errors.ts'
import { givenLogins } from '#engine/builds/logins.ts'
import type {
  BuildOptions,
  BuildOutput,
  CacheLocation,
  ContextInput,
  NamedContextInput,
} from '#engine/builds/service.ts'
import type { Query } from '../query.ts'
import { decodeWith, readText } from '../request-body.ts'
import type { RouteRequest } from '../route.ts'
import { badParameter, jsonList, jsonMap } from './build-parameters.ts'

type BuildRequest = Pick<RouteRequest, 'query' | 'headers' | 'body' | 'signal'>

/**
 * What `POST /build` asks for: Docker's parameters, and berth's own, which win.
 * @throws EngineError invalid_argument
 */
export async function buildOptions(request: BuildRequest): Promise<BuildOptions> {
  const { query, headers, signal } = request
  refuseForeign(query)
  const extras = await extrasOf(request)
  return {
    id: query.text('buildid'),
    session: query.text('session'),
    context: contextOf(request, extras),
    dockerfile: extras.dockerfile ?? { path: query.text('dockerfile') ?? 'Dockerfile' },
    namedContexts: namedContexts(extras),
    tags: query.list('t').filter((name) => name !== ''),
    target: query.text('target'),
    buildArgs: jsonMap(query, 'buildargs'),
    labels: jsonMap(query, 'labels'),
    annotations: extras.annotations ?? [],
    platforms: extras.platforms ?? query.text('platform')?.split(',') ?? [],
    pull: query.flag('pull'),
    noCache: query.flag('nocache'),
    noCacheFilter: extras.noCacheFilter ?? [],
    network: networkOf(query),
    extraHosts: query.list('extrahosts').filter((line) => line !== ''),
    limits: limitsOf(query),
    allow: extras.allow ?? [],
    cacheFrom: extras.cacheFrom?.map(cacheLocation) ?? cacheImages(query),
    cacheTo: extras.cacheTo?.map(cacheLocation) ?? [],
    squash: query.flag('squash'),
    outputs: extras.outputs?.map(output) ?? dockerOutputs(query),
    provenance: oneOf('provenance', extras.provenance ?? 'none', ['none', 'min', 'max']),
    sbom: extras.sbom,
    auth: givenLogins(parseRegistryConfig(headers['x-registry-config']?.toString())),
    call: oneOf('call', extras.call ?? 'build', ['build', 'check', 'outline', 'targets']),
    signal,
  }
}

/** Requests that mean a builder we are not. */
function refuseForeign(query: Query): void {
  const version = query.text('version')
  if (version !== undefined && version !== '1' && version !== '2') {
    throw badParameter('version', `invalid version ${version}: want 1 or 2`)
  }
  if (query.text('remote') === 'client-session') {
    throw new EngineError(
      'not_implemented',
      "a build over BuildKit's session is not built yet; use DOCKER_BUILDKIT=0, or berth build",
      { code: 'NOT_IMPLEMENTED' },
    )
  }
  if (query.list('securityopt').some((options) => options !== '' && options !== '[]' && options !== 'null')) {
    throw badParameter(
      'securityopt',
      'the daemon on linux does not support setting security options on build',
    )
  }
}

async function extrasOf({ query, headers, body }: BuildRequest): Promise<BuildExtras> {
  const inBody = headers['content-type']?.split(';', 1)[0] === BUILD_EXTRAS_TYPE
  const text = inBody ? await readText(body) : (query.text('berth-request') ?? '')
  if (text.trim() === '') return {}
  const extras = decodeWith<BuildExtras>(text, buildExtrasSchema)
  if (inBody && extras.context === undefined) {
    throw badParameter('context', 'missing field: context, when there is no tar in the body')
  }
  return extras
}

function contextOf({ query, body }: BuildRequest, { context }: BuildExtras): ContextInput {
  const remote = query.text('remote')
  if (context !== undefined) {
    const input = namedContext('context', context)
    if (input.type !== 'image' && input.type !== 'oci-layout') return input
    throw badParameter('context', `invalid context: ${input.type} can only be a named context`)
  }
  return remote === undefined ? { type: 'tar', bytes: body } : { type: 'remote', url: remote }
}

function namedContexts({ namedContexts: given = {} }: BuildExtras): Record<string, NamedContextInput> {
  return Object.fromEntries(
    Object.entries(given).map(([name, context]) => [name, namedContext(`context ${name}`, context)]),
  )
}

function namedContext(where: string, { type, path, url, name, reference }: ContextExtra): NamedContextInput {
  const need = (field: string, value: string | undefined): string => {
    if (value !== undefined && value !== '') return value
    throw badParameter('context', `invalid ${where}: type ${type} needs ${field}`)
  }
  switch (type) {
    case 'directory':
      return { type, path: absolute(where, need('path', path)) }
    case 'remote':
      return { type, url: need('url', url) }
    case 'session':
      return { type, name: need('name', name) }
    case 'empty':
      return { type }
    case 'image':
      return { type, reference: need('reference', reference) }
    case 'oci-layout':
      return { type, path: absolute(where, need('path', path)), reference: reference || undefined }
    default:
      throw badParameter('context', `invalid ${where}: unknown type ${JSON.stringify(type)}`)
  }
}

function absolute(where: string, path: string): string {
  if (path.startsWith('/')) return path
  throw badParameter('context', `invalid ${where}: ${path} is no absolute path`)
}

/** The default network is all that RUN can be on, beside none and the host's. */
function networkOf(query: Query): BuildOptions['network'] {
  const mode = query.text('networkmode')
  if (mode === undefined || mode === 'default' || mode === 'bridge') return undefined
  if (mode === 'none' || mode === 'host') return mode
  throw badParameter(
    'networkmode',
    `network mode ${JSON.stringify(mode)} is not possible in a build; want default, none or host`,
  )
}

function limitsOf(query: Query): BuildOptions['limits'] {
  const positive = (name: string): number | undefined => query.integer(name) || undefined
  return {
    shmSize: positive('shmsize'),
    ulimits: ulimitsOf(query),
    cgroupParent: query.text('cgroupparent'),
    memory: positive('memory'),
    memorySwap: positive('memswap'),
    cpuShares: positive('cpushares'),
    cpuPeriod: positive('cpuperiod'),
    cpuQuota: positive('cpuquota'),
    cpusetCpus: query.text('cpusetcpus'),
    cpusetMems: query.text('cpusetmems'),
  }
}

function ulimitsOf(query: Query): NonNullable<BuildOptions['limits']['ulimits']> {
  return jsonList(query, 'ulimits').map((item) => {
    const { Name: name, Soft: soft, Hard: hard } = Object(item) as Record<string, unknown>
    if (typeof name === 'string' && Number.isInteger(soft) && Number.isInteger(hard)) {
      return { name, soft: soft as number, hard: hard as number }
    }
    throw badParameter('ulimits', 'invalid ulimits: want a JSON list of {"Name":…,"Soft":…,"Hard":…}')
  })
}

/** Names of images; or, from clients of BuildKit, `type=…,ref=…`. */
function cacheImages(query: Query): CacheLocation[] {
  return jsonList(query, 'cachefrom').flatMap((item): CacheLocation[] => {
    if (typeof item !== 'string')
      throw badParameter('cachefrom', 'invalid cachefrom: want a JSON list of strings')
    if (item === '') return []
    if (!item.includes('=')) return [{ type: 'registry', attributes: { ref: item } }]
    const { type = '', ...attributes } = Object.fromEntries(item.split(',').map((pair) => split(pair)))
    return [cacheLocation({ type, attributes })]
  })
}

function split(pair: string): [string, string] {
  const at = pair.indexOf('=')
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
}

function cacheLocation({ type, attributes = {} }: Loose): CacheLocation {
  return { type: oneOf('cache type', type, ['inline', 'registry', 'local']), attributes }
}

interface Loose {
  readonly type: string
  readonly attributes?: Readonly<Record<string, string>>
}

const outputTypes = ['image', 'registry', 'local', 'tar', 'oci', 'docker', 'cacheonly'] as const

function output({ type, attributes = {} }: Loose): BuildOutput {
  return { type: oneOf('output type', type, outputTypes), attributes }
}

/** `[{"Type":"moby","Attrs":{…}}]`, as BuildKit's clients say it over this API. */
function dockerOutputs(query: Query): BuildOutput[] {
  return jsonList(query, 'outputs').map((item) => {
    const { Type, Attrs } = Object(item) as { readonly Type?: unknown; readonly Attrs?: unknown }
    const attributes = Object.fromEntries(
      Object.entries(Object(Attrs) as object).map(([key, value]) => [key, String(value)]),
    )
    const { type: inner = 'image', ...rest } = attributes
    return output({ type: Type === 'moby' ? inner : String(Type), attributes: rest })
  })
}

function oneOf<const T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((each) => each === value)
  if (found !== undefined) return found
  throw badParameter(name, `invalid ${name} ${JSON.stringify(value)}: want ${known.join(', ')}`)
}

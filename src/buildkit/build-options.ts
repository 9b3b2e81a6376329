import { EngineError } from '#base/errors.ts'
import type { BuildOptions, BuildOutput, CacheLocation } from '#engine/builds/service.ts'
import type { SolveRequest, TypedAttributes } from './messages/control.ts'

/** Attributes of a frontend, as the client gives them. */
export type Attributes = ReadonlyMap<string, string>

/** What a build is asked for, besides what it is made from and who asks. */
export type PlainOptions = Omit<
  BuildOptions,
  'id' | 'session' | 'context' | 'dockerfile' | 'namedContexts' | 'auth' | 'solved' | 'signal'
>

/**
 * Options from the attributes of the frontend `dockerfile.v0` and the request that they belong to. Attributes that we do
 * not know are for somebody else. @throws EngineError invalid_argument
 */
export function plainOptions(
  attributes: Attributes,
  request: Pick<SolveRequest, 'exporters' | 'entitlements'>,
  caches: { readonly imports: readonly TypedAttributes[]; readonly exports: readonly TypedAttributes[] },
): PlainOptions {
  const noCache = attributes.get('no-cache')
  const filter = noCache === undefined ? [] : listOf(noCache)
  return {
    tags: [],
    target: attributes.get('target') || undefined,
    buildArgs: under(attributes, 'build-arg:'),
    labels: under(attributes, 'label:'),
    annotations: request.exporters.flatMap(annotationsOf),
    platforms: listOf(attributes.get('platform') ?? ''),
    pull: attributes.get('image-resolve-mode') === 'pull',
    noCache: noCache !== undefined && filter.length === 0,
    noCacheFilter: filter,
    network: networkOf(attributes.get('force-network-mode')),
    extraHosts: listOf(attributes.get('add-hosts') ?? '').map((host) => host.replace('=', ':')),
    limits: limitsOf(attributes),
    allow: request.entitlements,
    cacheFrom: caches.imports.flatMap(importedCache),
    cacheTo: caches.exports.map(exportedCache),
    squash: false,
    outputs: outputsOf(request.exporters),
    provenance: provenanceOf(attributes.get('attest:provenance')),
    sbom: sbomOf(attributes.get('attest:sbom')),
    call: callOf(attributes.get('requestid')),
  }
}

/** Attributes whose names begin so, by what follows. */
export function under(attributes: Attributes, prefix: string): Readonly<Record<string, string>> {
  const found = [...attributes].filter(([name]) => name.startsWith(prefix))
  return Object.fromEntries(found.map(([name, value]) => [name.slice(prefix.length), value]))
}

function listOf(text: string): readonly string[] {
  return text.split(',').flatMap((item) => item.trim() || [])
}

/** `a=b,c=d` */
function pairsOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    listOf(text).map((pair) => {
      const at = pair.indexOf('=')
      return at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

function networkOf(mode: string | undefined): BuildOptions['network'] {
  return mode === undefined || mode === '' || mode === 'sandbox' ? undefined : mode
}

function limitsOf(attributes: Attributes): BuildOptions['limits'] {
  const shmSize = attributes.get('shm-size')
  return {
    shmSize: shmSize === undefined ? undefined : wholeNumber('shm-size', shmSize),
    cgroupParent: attributes.get('cgroup-parent') || undefined,
    ulimits: [...pairsOf(attributes.get('ulimit') ?? '')].map(([name, value]) => {
      const [soft = '', hard = soft] = value.split(':')
      return { name, soft: wholeNumber('ulimit', soft), hard: wholeNumber('ulimit', hard) }
    }),
  }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw invalid(`invalid ${name} ${JSON.stringify(text)}: want a number`)
}

/** Types of exporters, and what they are for the engine. `moby` is what Docker's own daemon calls its image store. */
const outputTypes: ReadonlyMap<string, BuildOutput['type']> = new Map([
  ['moby', 'image'],
  ['image', 'image'],
  ['local', 'local'],
  ['tar', 'tar'],
  ['oci', 'oci'],
  ['docker', 'docker'],
])

function outputsOf(exporters: readonly TypedAttributes[]): readonly BuildOutput[] {
  // Nothing but the cache; for the engine no output would be the image store.
  if (exporters.length === 0) return [{ type: 'cacheonly', attributes: {} }]
  return exporters.map(({ type, attributes }) => {
    const known = outputTypes.get(type)
    if (known === undefined) throw invalid(`exporter ${JSON.stringify(type)} could not be found`)
    return { type: known, attributes: Object.fromEntries(attributes) }
  })
}

/** `annotation[-TYPE][[PLATFORM]].KEY` */
const ANNOTATION = /^annotation(?:-([a-z-]+))?(?:\[([^\]]*)\])?\.(.+)$/s

function annotationsOf({ attributes }: TypedAttributes): readonly string[] {
  return [...attributes].flatMap(([name, value]) => {
    const [, type = 'manifest', platform, key] = ANNOTATION.exec(name) ?? []
    if (key === undefined) return []
    return [`${type}${platform === undefined ? '' : `[${platform}]`}:${key}=${value}`]
  })
}

/** Of what we cannot read we know nothing: the build is the same without. */
function importedCache({ type, attributes }: TypedAttributes): readonly CacheLocation[] {
  return type === 'registry' ? [{ type, attributes: Object.fromEntries(attributes) }] : []
}

function exportedCache({ type, attributes }: TypedAttributes): CacheLocation {
  if (type === 'registry' || type === 'inline') return { type, attributes: Object.fromEntries(attributes) }
  throw invalid(`cache export of type ${JSON.stringify(type)} is not possible here: want registry or inline`)
}

function provenanceOf(text: string | undefined): BuildOptions['provenance'] {
  if (text === undefined || pairsOf(text).get('disabled') === 'true') return 'none'
  return pairsOf(text).get('mode') === 'max' ? 'max' : 'min'
}

function sbomOf(text: string | undefined): string | undefined {
  if (text === undefined || pairsOf(text).get('disabled') === 'true') return undefined
  const generator = pairsOf(text).get('generator')
  if (generator !== undefined && generator !== '') return generator
  throw invalid('an SBOM needs a scanner: --attest type=sbom,generator=IMAGE')
}

const calls: ReadonlyMap<string, BuildOptions['call']> = new Map([
  ['frontend.lint', 'check'],
  ['frontend.outline', 'outline'],
  ['frontend.targets', 'targets'],
])

function callOf(request: string | undefined): BuildOptions['call'] {
  if (request === undefined || request === '') return 'build'
  const call = calls.get(request)
  if (call !== undefined) return call
  throw new EngineError('not_implemented', `unsupported request ${request}`, { code: 'NOT_IMPLEMENTED' })
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'BUILD_REQUEST_INVALID' })
}

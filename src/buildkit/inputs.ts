import { EngineError } from '#base/errors.ts'
import { ignoreFileOf, parseIgnore } from '#build/dockerfile/ignore.ts'
import { parseDockerfile } from '#build/dockerfile/parse.ts'
import type { BuildOptions, BuildService, ContextInput, NamedContextInput } from '#engine/builds/service.ts'
import { vertexReport, type VertexReport } from '#engine/builds/vertex-report.ts'
import { type Attributes, under } from './build-options.ts'
import type { DockerfileSource } from './dockerfile-source.ts'
import type { ClientSession } from './session/client-session.ts'
import { receiveContext } from './session/receive-context.ts'
import type { ClientSessions } from './session/sessions.ts'

export interface InputsDeps {
  readonly builds: Pick<BuildService, 'sessions'>
  readonly sessions: ClientSessions
  /** Of the engine's, where contexts are put. */
  readonly engineSession: string
  /** Of the client who builds. */
  readonly client: ClientSession
  readonly report: Parameters<typeof vertexReport>[1]
  /** Hears the Dockerfile before it is looked at. */
  readonly onDockerfile: (source: DockerfileSource) => void
  readonly now: () => string
  readonly signal: AbortSignal
}

/** What a build is made from. */
export type BuildInputs = Pick<BuildOptions, 'context' | 'dockerfile' | 'namedContexts'>

type TextDockerfile = Extract<BuildOptions['dockerfile'], { readonly text: string }>

/**
 * Brings what the client has to the engine: the Dockerfile first, so that what is wrong with it is said before a large context
 * is sent, then what ignore files leave of its directories. `filesNeeded`: false when nothing is built.
 */
export async function loadInputs(
  attributes: Attributes,
  { filesNeeded }: { readonly filesNeeded: boolean },
  deps: InputsDeps,
): Promise<BuildInputs> {
  const address = attributes.get('context')
  const isLocal = address === undefined
  const dockerfile =
    isLocal || attributes.has('dockerfilekey')
      ? await localDockerfile(attributes, deps)
      : { path: attributes.get('filename') || 'Dockerfile' }
  if ('text' in dockerfile) {
    deps.onDockerfile(dockerfile)
    parseDockerfile(dockerfile.text, dockerfile.name)
  }
  if (!isLocal) {
    const context = addressed(address, deps)
    return { context, dockerfile, namedContexts: await namedContexts(attributes, filesNeeded, deps) }
  }
  const directory = attributes.get('contextkey') || 'context'
  const client = await ownerOf(directory, attributes, deps)
  const own = 'text' in dockerfile ? dockerfile.ignore : undefined
  const ignore = await vertexReport('[internal] load .dockerignore', deps.report, deps.now, (vertex) =>
    own === undefined
      ? ignoreIn(client, directory, transferring('context', vertex, deps))
      : Promise.resolve(own),
  )
  const context: ContextInput = filesNeeded
    ? await receive(
        { client, directory, name: 'context', ignore, title: '[internal] load build context' },
        deps,
      )
    : { type: 'empty' }
  return {
    context,
    dockerfile: 'text' in dockerfile && ignore !== undefined ? { ...dockerfile, ignore } : dockerfile,
    namedContexts: await namedContexts(attributes, filesNeeded, deps),
  }
}

/** Its text, and that of the ignore file that belongs to it alone. */
async function localDockerfile(attributes: Attributes, deps: InputsDeps): Promise<TextDockerfile> {
  const directory = attributes.get('dockerfilekey') || 'dockerfile'
  const name = attributes.get('filename') || 'Dockerfile'
  const client = await ownerOf(directory, attributes, deps)
  const title = `[internal] load build definition from ${name}`
  return vertexReport(title, deps.report, deps.now, async (vertex) => {
    const others = name === 'Dockerfile' ? ['dockerfile'] : []
    const paths = [name, ignoreFileOf(name), ...others]
    const query = { directory, include: paths, follow: paths }
    const files = await client.readFiles(query, transferring('dockerfile', vertex, deps))
    const text = files.get(name) ?? files.get('dockerfile')
    if (text === undefined) throw noDockerfile(name)
    return { text, name, ignore: files.get(ignoreFileOf(name)) }
  })
}

async function ignoreIn(
  client: ClientSession,
  directory: string,
  options: Parameters<ClientSession['readFiles']>[1],
): Promise<string | undefined> {
  const paths = ['.dockerignore']
  const files = await client.readFiles({ directory, include: paths, follow: paths }, options)
  return files.get('.dockerignore')
}

interface LocalContext {
  readonly client: ClientSession
  /** As the client calls it. */
  readonly directory: string
  /** As the engine's session calls it. */
  readonly name: string
  readonly ignore: string | undefined
  readonly title: string
}

async function receive(
  { client, directory, name, ignore, title }: LocalContext,
  { builds, engineSession, report, now, signal }: InputsDeps,
): Promise<ContextInput> {
  const { sharedKey } = client.facts
  const kept = sharedKey === '' ? undefined : `${sharedKey} ${directory}`
  await vertexReport(title, report, now, async (vertex) => {
    using sync = client.files({ directory, exclude: ignore === undefined ? [] : parseIgnore(ignore) }, signal)
    const progress = transferring('context', vertex, { report, now, signal })
    await receiveContext(sync, {
      sessions: builds.sessions,
      session: engineSession,
      name,
      directory: kept ?? '',
      onBytes: progress.onBytes,
    })
  })
  return { type: 'session', name, directory: kept }
}

/** Counts under the words that people know. */
function transferring(
  what: 'context' | 'dockerfile',
  { id: vertex }: VertexReport,
  { report, now, signal }: Pick<InputsDeps, 'report' | 'now' | 'signal'>,
): { readonly onBytes: (total: number) => void; readonly signal: AbortSignal } {
  const started = now()
  const id = `transferring ${what}:`
  return {
    signal,
    onBytes: (current) => report({ type: 'status', vertex, id, current, started, completed: now() }),
  }
}

async function namedContexts(
  attributes: Attributes,
  filesNeeded: boolean,
  deps: InputsDeps,
): Promise<BuildOptions['namedContexts']> {
  const named: Record<string, NamedContextInput> = {}
  for (const [key, address] of Object.entries(under(attributes, 'context:'))) {
    const [name = ''] = key.split('::')
    named[name] = await namedContext(name, address, { attributes, filesNeeded }, deps)
  }
  return named
}

async function namedContext(
  name: string,
  address: string,
  { attributes, filesNeeded }: { readonly attributes: Attributes; readonly filesNeeded: boolean },
  deps: InputsDeps,
): Promise<NamedContextInput> {
  const [scheme, rest] = splitScheme(address)
  if (scheme === 'docker-image') return { type: 'image', reference: rest.replace(/^\/\//, '') }
  if (scheme === 'oci-layout' || scheme === 'input') {
    throw new EngineError('not_implemented', `named context ${name}: ${scheme} is not possible here yet`, {
      code: 'NOT_IMPLEMENTED',
    })
  }
  if (scheme !== 'local') return addressed(address, deps)
  if (!filesNeeded) return { type: 'empty' }
  const client = await ownerOf(rest, attributes, deps)
  const ignore = await ignoreIn(client, rest, { signal: deps.signal, onBytes: () => undefined })
  const title = `[context ${name}] load from client`
  const input = await receive({ client, directory: rest, name: `named ${name}`, ignore, title }, deps)
  return input
}

function splitScheme(address: string): readonly [scheme: string, rest: string] {
  const at = address.indexOf(':')
  return at === -1 ? ['', address] : [address.slice(0, at), address.slice(at + 1)]
}

/** At such addresses are archives that the client has for us. */
const UPLOADS = 'http://buildkit-session/'

function addressed(address: string, { client, signal }: InputsDeps): ContextInput {
  if (!address.startsWith(UPLOADS)) return { type: 'remote', url: address }
  return { type: 'tar', bytes: client.upload(new URL(address), signal) }
}

/** A directory may be another session's, which several builds share. */
async function ownerOf(
  directory: string,
  attributes: Attributes,
  { client, sessions }: InputsDeps,
): Promise<ClientSession> {
  const other = attributes.get(`local-sessionid:${directory}`)
  return other === undefined || other === '' ? client : sessions.find(other)
}

function noDockerfile(name: string): EngineError {
  return new EngineError('not_found', `failed to read dockerfile: open ${name}: no such file or directory`, {
    code: 'DOCKERFILE_NOT_FOUND',
    details: { name },
  })
}

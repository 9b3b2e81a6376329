import { EngineError } from '#base/errors.ts'
import type { Clock } from '#base/clock.ts'
import { IgnoreMatcher, ignoreFileOf, parseIgnore } from '#build/dockerfile/ignore.ts'
import type { ContextOrigin, DownloadOrigin, GitOrigin } from '#build/graph/operations.ts'
import type { NamedContext } from '#build/graph/plan.ts'
import type { Secrets } from '#build/solve/ports.ts'
import { authorizationsFrom } from '#build/sources/authorizations.ts'
import { openDirectory } from '#build/sources/directory-source.ts'
import type { Downloads } from '#build/sources/download.ts'
import type { FileSource } from '#build/sources/file-source.ts'
import { type FoundIgnore, findDockerfile, findIgnore } from '#build/sources/find-dockerfile.ts'
import { openGit } from '#build/sources/git.ts'
import { withoutIgnored } from '#build/sources/ignored-source.ts'
import { openRemoteContext, type RemoteContextDeps } from '#build/sources/remote-context.ts'
import { openStreamedContext, type StreamedContext } from '#build/sources/tar-context.ts'
import { withDisposal } from '#build/sources/with-disposal.ts'
import type { FileDigests } from '#store/file-digests.ts'
import { layoutReference } from './layout-images.ts'
import type { BuildOptions, ContextInput, NamedContextInput } from './service.ts'

export interface ContextsDeps extends RemoteContextDeps {
  readonly downloads: Downloads
  readonly digests: FileDigests
  readonly clock: Clock
  /** The contexts of the build's session. */
  readonly session: (name: string) => Promise<FileSource>
  /** For servers that want credentials. */
  readonly secrets: Secrets
}

/** What came with a build. Everything is opened once, and closed when it is disposed. */
export class BuildContexts implements AsyncDisposable {
  readonly dockerfile: { readonly text: string; readonly name: string }
  readonly ignore: FoundIgnore | undefined
  /** For the planner. */
  readonly named: ReadonlyMap<string, NamedContext>
  readonly #sources: ReadonlyMap<string, FileSource>
  readonly #others = new Map<string, Promise<FileSource>>()
  readonly #deps: ContextsDeps
  readonly #signal: AbortSignal
  readonly #held: AsyncDisposableStack

  private constructor(opened: Opened, deps: ContextsDeps, signal: AbortSignal, held: AsyncDisposableStack) {
    this.dockerfile = opened.dockerfile
    this.ignore = opened.ignore
    this.named = opened.named
    this.#sources = opened.sources
    this.#deps = deps
    this.#signal = signal
    this.#held = held
  }

  static async open(options: BuildOptions, deps: ContextsDeps, signal: AbortSignal): Promise<BuildContexts> {
    await using held = new AsyncDisposableStack()
    const opened = await openAll(options, deps, held, signal)
    return new BuildContexts(opened, deps, signal, held.move())
  }

  /** The files of an origin; whoever asked may dispose them. */
  async source(origin: ContextOrigin | DownloadOrigin | GitOrigin): Promise<FileSource> {
    if (origin.kind === 'context') {
      const source = this.#sources.get(origin.name)
      if (source === undefined) throw noSuchContext(origin.name)
      return sharedSource(source)
    }
    const key = JSON.stringify(origin)
    let opening = this.#others.get(key)
    if (opening === undefined) {
      opening = this.#fetch(origin)
      this.#others.set(key, opening)
    }
    return sharedSource(await opening)
  }

  async #fetch(origin: DownloadOrigin | GitOrigin): Promise<FileSource> {
    const { secrets, downloads } = this.#deps
    const authorize = authorizationsFrom(secrets)
    const signal = this.#signal
    if (origin.kind === 'download') {
      const authorization = await authorize('http', origin.url)
      return this.#held.use(await downloads.open(origin, { signal, authorization }))
    }
    const authorization = await authorize('git', origin.remote)
    const agent = await secrets.agent('default')
    const { source } = await openGit(origin, this.#deps, { signal, authorization, agent })
    return this.#held.use(source)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#others.values())
    await this.#held.disposeAsync()
  }
}

interface Opened {
  readonly dockerfile: { readonly text: string; readonly name: string }
  readonly ignore: FoundIgnore | undefined
  readonly named: ReadonlyMap<string, NamedContext>
  readonly sources: ReadonlyMap<string, FileSource>
}

/** Name of the build context among all contexts. */
const MAIN = 'context'

async function openAll(
  options: BuildOptions,
  deps: ContextsDeps,
  held: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Opened> {
  const sources = new Map<string, FileSource>()
  const named = new Map<string, NamedContext>()
  const main = await openContext(options.context, 'build context', options, deps, signal)
  const files = main.type === 'files' ? held.use(main.source) : undefined
  const dockerfile = await dockerfileOf(options, main, files, signal)
  const inContext = 'path' in options.dockerfile && main.type === 'files' ? dockerfile.name : undefined
  const ignore =
    files === undefined ? undefined : (ownIgnore(options) ?? (await findIgnore(files, inContext, { signal })))
  if (files !== undefined) sources.set(MAIN, held.use(filtered(files, ignore, deps)))
  else sources.set(MAIN, emptySource())
  for (const [name, input] of Object.entries(options.namedContexts)) {
    const context = await openNamed(name, input, options, deps, signal)
    named.set(name, 'source' in context ? { type: 'files' } : context)
    if (!('source' in context)) continue
    const source = held.use(context.source)
    sources.set(name, held.use(filtered(source, await findIgnore(source, undefined, { signal }), deps)))
  }
  return { dockerfile, ignore, named, sources }
}

/** What came with a Dockerfile that is not in the context. */
function ownIgnore({ dockerfile }: BuildOptions): FoundIgnore | undefined {
  if (!('text' in dockerfile) || dockerfile.ignore === undefined) return undefined
  return { file: ignoreFileOf(dockerfile.name), text: dockerfile.ignore }
}

async function dockerfileOf(
  { dockerfile }: BuildOptions,
  main: StreamedContext | { readonly type: 'empty' },
  files: FileSource | undefined,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly name: string }> {
  if ('text' in dockerfile) return dockerfile
  if (main.type === 'dockerfile') return { text: main.text, name: 'Dockerfile' }
  if (files !== undefined) return findDockerfile(files, dockerfile.path, { signal })
  throw new EngineError('invalid_argument', 'the build has neither a context nor a Dockerfile', {
    code: 'DOCKERFILE_NOT_FOUND',
  })
}

async function openContext(
  input: ContextInput,
  name: string,
  { buildArgs }: BuildOptions,
  deps: ContextsDeps,
  signal: AbortSignal,
): Promise<StreamedContext | { readonly type: 'empty' }> {
  switch (input.type) {
    case 'empty':
      return { type: 'empty' }
    case 'directory':
      return { type: 'files', source: await openDirectory(input.path, { ...deps, name, copies: deps.spool }) }
    case 'tar':
      return openStreamedContext(input.bytes, { name, spool: deps.spool, signal })
    case 'session':
      return { type: 'files', source: await deps.session(input.name) }
    case 'remote': {
      const keepGitDirectory = isTrue(buildArgs['BUILDKIT_CONTEXT_KEEP_GIT_DIR'])
      return openRemoteContext(input.url, deps, {
        name,
        keepGitDirectory,
        signal,
        authorization: authorizationsFrom(deps.secrets),
        agent: await deps.secrets.agent('default'),
      })
    }
  }
}

async function openNamed(
  name: string,
  input: NamedContextInput,
  options: BuildOptions,
  deps: ContextsDeps,
  signal: AbortSignal,
): Promise<NamedContext | { readonly source: FileSource }> {
  if (input.type === 'image') return { type: 'image', reference: input.reference }
  if (input.type === 'oci-layout') return { type: 'image', reference: layoutReference(name) }
  const opened = await openContext(input, `context ${name}`, options, deps, signal)
  if (opened.type === 'files') return { source: opened.source }
  if (opened.type === 'empty') return { source: emptySource() }
  throw new EngineError(
    'invalid_argument',
    `context ${name} is a single file, not a directory or an archive`,
    {
      code: 'BUILD_CONTEXT_KIND',
    },
  )
}

function filtered(source: FileSource, ignore: FoundIgnore | undefined, { spool }: ContextsDeps): FileSource {
  const shared = sharedSource(source)
  if (ignore === undefined) return shared
  return withoutIgnored(
    shared,
    { matcher: new IgnoreMatcher(parseIgnore(ignore.text)), file: ignore.file },
    spool,
  )
}

/** For somebody who may dispose it while others go on reading: only its owner ends it. */
function sharedSource(source: FileSource): FileSource {
  return withDisposal(source, () => Promise.resolve())
}

function emptySource(): FileSource {
  return {
    name: 'empty build context',
    async *walk() {},
    find: () => Promise.resolve(undefined),
    root: () =>
      Promise.reject(
        new EngineError('not_found', 'the build has no context to mount', { code: 'CONTEXT_NOT_FOUND' }),
      ),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

function isTrue(text: string | undefined): boolean {
  return /^(?:1|t|true)$/i.test(text ?? '')
}

function noSuchContext(name: string): EngineError {
  return new EngineError('not_found', `the build has no context ${name}`, { code: 'CONTEXT_NOT_FOUND' })
}

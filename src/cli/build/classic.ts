/** Builds on engines that are not berth, by what every engine of Docker has had from the beginning: a tar, and `POST /build`. */
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { IgnoreMatcher, parseIgnore } from '#build/dockerfile/ignore.ts'
import { type TarSource, writeTar } from '#oci/tar/write-tar.ts'
import type { Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { registryConfig } from '../registry-auth.ts'
import { buildQuery, platformsOf } from './arguments.ts'
import { contextFiles, ignoreText } from './context-upload.ts'
import { type BuildContext, defaultDockerfile, type DockerfileChoice } from './contexts.ts'
import type { BuildFlags } from './flags.ts'
import type { BuildEnd } from './show-build.ts'

export interface ClassicBuild {
  readonly source: BuildContext
  readonly dockerfile: DockerfileChoice
  readonly call: string
  readonly quiet: boolean
}

/** What such a build cannot do is refused by its name before anything is sent. */
export async function buildClassic(
  { source, dockerfile, call, quiet }: ClassicBuild,
  flags: BuildFlags,
  context: Context,
): Promise<BuildEnd> {
  const { client, io, err, signal } = context
  refuseMore(flags, call)
  const [platform, ...others] = platformsOf(flags, io)
  if (others.length > 0) throw beyond('more than one --platform')
  if (source.type !== 'directory') throw beyond('a context that is no directory')
  const sent = filesOf(source.path, dockerfile)
  const messages = client.builds.classic({
    query: {
      ...buildQuery(flags, context),
      version: '1',
      dockerfile: sent.dockerfile,
      platform,
      rm: true,
      forcerm: true,
    },
    tar: Readable.from(writeTar(sent.files), { objectMode: false }),
    auths: await registryConfig(context),
    signal,
  })
  let imageId: string | undefined
  for await (const { stream, status, id, progressDetail, aux } of messages) {
    imageId = aux?.ID ?? imageId
    if (quiet) continue
    if (stream !== undefined) err(stream)
    else if (status !== undefined && progressDetail === undefined)
      err(`${id === undefined ? '' : `${id}: `}${status}\n`)
  }
  const outcome = { type: 'result', id: '', imageId, names: flags.tag, artifacts: [], metadata: {} } as const
  return { outcome, call: undefined }
}

interface Sent {
  readonly files: Generator<TarSource>
  /** Where the Dockerfile is in them. */
  readonly dockerfile: string
}

/** The Dockerfile and the ignore file are sent even when they are ignored: the engine reads both. */
function filesOf(directory: string, choice: DockerfileChoice): Sent {
  const isText = 'text' in choice
  const dockerfile = isText
    ? `.dockerfile.${randomBytes(8).toString('hex')}`
    : (choice.path ?? defaultDockerfile(directory))
  const ignore =
    (isText ? choice.ignore : undefined) ?? ignoreText(directory, isText ? undefined : dockerfile)
  const matcher = new IgnoreMatcher([...parseIgnore(ignore), `!${dockerfile}`, '!.dockerignore'])
  return {
    files: all(contextFiles(directory, matcher), isText ? textFile(dockerfile, choice.text) : []),
    dockerfile,
  }
}

function* all(files: Generator<TarSource>, more: readonly TarSource[]): Generator<TarSource> {
  yield* files
  yield* more
}

function textFile(path: string, text: string): readonly TarSource[] {
  const data = Buffer.from(text)
  const mtime = { seconds: 0, nanoseconds: 0 }
  return [
    { entry: { type: 'file', path, mode: 0o600, uid: 0, gid: 0, mtime, size: data.length }, data: [data] },
  ]
}

/** Flags that only berth and BuildKit know. */
const MORE = [
  'secret',
  'ssh',
  'build-context',
  'cache-to',
  'output',
  'annotation',
  'attest',
  'no-cache-filter',
] as const
const ASKED = ['push', 'explain', 'sbom', 'provenance'] as const

function refuseMore(flags: BuildFlags, call: string): void {
  if (call !== 'build') throw beyond(`--call=${call}`)
  const lists = MORE.filter((name) => flags[name].length > 0)
  const asked = ASKED.filter((name) => !['', 'false', false].includes(flags[name]))
  const [first] = [...lists, ...asked]
  if (first !== undefined) throw beyond(`--${first}`)
}

function beyond(what: string): Error {
  return commandError(
    `this engine is not berth: ${what} is not possible there; leave it out, or build with docker buildx`,
  )
}

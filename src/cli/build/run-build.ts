import { rm, writeFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import type { BuildExtras } from '#api/build-extras.ts'
import type { BuildOutcome } from '#api/build-updates.ts'
import { engineErrorOf, messageOf } from '#base/errors.ts'
import { FOREIGN_ENGINE } from '#client/builds.ts'
import type { Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { registryConfig } from '../registry-auth.ts'
import { buildQuery, platformsOf } from './arguments.ts'
import { attestationsOf } from './attestations.ts'
import {
  type BuildContext,
  chooseDockerfile,
  type DockerfileChoice,
  knownDockerfile,
  parseContext,
} from './contexts.ts'
import type { BuildFlags } from './flags.ts'
import { checkOutputs, type Output, outputsOf, writeOutputs } from './outputs.ts'
import { BuildState } from './progress/build-state.ts'
import { explainText } from './progress/explain.ts'
import { failureText } from './progress/failure.ts'
import { warningsText } from './progress/warnings.ts'
import { BuildSession } from './session.ts'
import { type BuildEnd, type ProgressStyle, showBuild } from './show-build.ts'
import { parseCache } from './typed.ts'

/** One `berth build`: asks, shows, and puts what comes back where it belongs. Returns the exit code. */
export async function runBuild(argument: string, flags: BuildFlags, context: Context): Promise<number> {
  const { io, err } = context
  const style = progressStyle(flags, io)
  const call = callOf(flags)
  const outputs = outputsOf(flags)
  checkOutputs(outputs, context)
  const source = parseContext(argument, io)
  if (source.type === 'stdin' && io.stdin.isTTY === true) {
    throw commandError(
      'the context is to come from stdin, but that is a terminal; pipe a tar or a Dockerfile into it',
    )
  }
  if (flags.iidfile !== '') await rm(resolve(io.cwd, flags.iidfile), { force: true })

  const dockerfile = await chooseDockerfile(flags.file, source, io)
  const state = new BuildState()
  let end: BuildEnd
  try {
    end = await built({ source, dockerfile, outputs, call: call.name, style, state }, flags, context)
  } catch (error) {
    if (context.signal.aborted) {
      err('ERROR: the build was cancelled; steps that had ended stay in the cache, nothing else is left\n')
      throw error
    }
    err(failureText(state, error, knownDockerfile(source, dockerfile)))
    return 1
  }
  if (flags.explain) err(`${style === 'quiet' ? '' : '\n'}${explainText(state.misses)}`)
  if (end.call !== undefined) {
    context.out(call.isJson ? `${JSON.stringify(end.call.document, undefined, 2)}\n` : end.call.text)
    return end.call.status
  }
  if (style !== 'quiet') err(warningsText(state.warnings))
  if (end.outcome !== undefined) await conclude(end.outcome, outputs, flags, context)
  return 0
}

interface Asked {
  readonly source: BuildContext
  readonly dockerfile: DockerfileChoice
  readonly outputs: readonly Output[]
  readonly call: string
  readonly style: ProgressStyle
  readonly state: BuildState
}

async function built(asked: Asked, flags: BuildFlags, context: Context): Promise<BuildEnd> {
  try {
    return await build(asked, flags, context)
  } catch (error) {
    if (engineErrorOf(error)?.code !== FOREIGN_ENGINE || asked.source.type !== 'directory') throw error
  }
  const { buildClassic } = await import('./classic.ts')
  return buildClassic({ ...asked, quiet: asked.style === 'quiet' }, flags, context)
}

async function build(asked: Asked, flags: BuildFlags, context: Context): Promise<BuildEnd> {
  const { client, io, signal } = context
  const { source, outputs } = asked
  const isForPeople = asked.style === 'tty' || asked.style === 'plain'
  await using session = new BuildSession(context, isForPeople ? context.err : () => undefined)
  await session.give(flags)
  const extras: BuildExtras = {
    ...(await session.sources(source, asked.dockerfile, flags)),
    ...attestationsOf(flags),
    platforms: platformsOf(flags, io),
    noCacheFilter: flags['no-cache-filter'].flatMap((text) => text.split(',')),
    annotations: flags.annotation,
    allow: flags.allow.flatMap((text) => text.split(',')),
    cacheFrom: flags['cache-from'].map((text) => parseCache(text, io)),
    cacheTo: flags['cache-to'].map((text) => parseCache(text, io)),
    outputs: outputs.map(({ asked: output }) => output),
    call: asked.call,
  }
  const path = 'path' in asked.dockerfile ? asked.dockerfile.path : undefined
  const updates = client.builds.build({
    query: { ...buildQuery(flags, context), dockerfile: path, session: session.id },
    extras,
    tar: source.type === 'stdin' ? io.stdin : undefined,
    auths: await registryConfig(context),
    signal,
  })
  return await showBuild(updates, asked.style, asked.state, io)
}

async function conclude(
  outcome: BuildOutcome,
  outputs: readonly Output[],
  flags: BuildFlags,
  context: Context,
): Promise<void> {
  const { io, out } = context
  await writeOutputs(outputs, outcome, context)
  const id = outcome.imageId ?? outcome.digest
  if (flags.iidfile !== '' && id !== undefined) await write(flags.iidfile, id, context)
  if (flags['metadata-file'] !== '') {
    await write(flags['metadata-file'], `${JSON.stringify(outcome.metadata, undefined, 2)}\n`, context)
  }
  const stdoutIsTaken = outputs.some(({ dest }) => dest === '-')
  if (progressStyle(flags, io) === 'quiet' && id !== undefined && !stdoutIsTaken) out(`${id}\n`)
}

async function write(file: string, text: string, { io }: Pick<Context, 'io'>): Promise<void> {
  const path = resolve(io.cwd, file)
  try {
    await writeFile(path, text)
  } catch (error) {
    throw commandError(`cannot write ${relative(io.cwd, path)}: ${messageOf(error)}`, error)
  }
}

/** How to show it: what was asked for, or else lines that change in place where there is a terminal. */
function progressStyle(flags: BuildFlags, { stderr, env }: Context['io']): ProgressStyle {
  const given = flags.progress === 'auto' ? (env['BUILDKIT_PROGRESS'] ?? '') || 'auto' : flags.progress
  if (flags.quiet) return 'quiet'
  switch (given) {
    case 'auto':
      return stderr.isTTY === true && env['TERM'] !== 'dumb' ? 'tty' : 'plain'
    case 'tty':
      if (stderr.isTTY === true) return 'tty'
      throw commandError('failed to get console: stderr is no terminal; use --progress plain')
    case 'plain':
    case 'rawjson':
    case 'quiet':
      return given
    case 'none':
      return 'quiet'
    default:
      throw commandError(`invalid progress mode ${given}: want auto, tty, plain, quiet, rawjson or none`)
  }
}

/** `check`, or `outline,format=json`. */
function callOf(flags: BuildFlags): { readonly name: string; readonly isJson: boolean } {
  const [name = 'build', ...fields] = (flags.check ? 'check' : flags.call).split(',')
  const known = ['build', 'check', 'outline', 'targets']
  if (!known.includes(name))
    throw commandError(`invalid call ${JSON.stringify(name)}: want ${known.join(', ')}`)
  return { name, isJson: fields.includes('format=json') }
}

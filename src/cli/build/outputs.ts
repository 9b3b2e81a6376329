import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { BuildOutcome } from '#api/build-updates.ts'
import type { TypedAttributes } from '#api/build-extras.ts'
import { isErrno, messageOf } from '#base/errors.ts'
import { writeArchive } from '../archive-output.ts'
import type { Context } from '../command.ts'
import { unpack } from '../copy/unpack.ts'
import { commandError } from '../errors.ts'
import type { BuildFlags } from './flags.ts'
import { parseTyped } from './typed.ts'

/** An output as the engine is asked for it, and where the client puts what it gets for it. */
export interface Output {
  readonly asked: TypedAttributes
  /** `-`: stdout; undefined: nothing comes back. */
  readonly dest: string | undefined
  /** The files themselves instead of an archive. */
  readonly isDirectory: boolean
}

/** What `--output`, `--push` and `--load` ask for; nothing means the image store. */
export function outputsOf(flags: BuildFlags): readonly Output[] {
  const outputs = flags.output.map(parseOutput)
  if (flags.push) pushed(outputs)
  if (flags.load && !outputs.some(({ asked }) => asked.type === 'image' || asked.type === 'docker')) {
    outputs.push(toStore({}))
  }
  if (outputs.filter(({ dest }) => dest === '-').length > 1) {
    throw commandError('only one output can go to stdout; give the others a dest')
  }
  return outputs
}

function pushed(outputs: Output[]): void {
  const at = outputs.findIndex(({ asked }) => asked.type === 'image')
  const attributes = { ...outputs[at]?.asked.attributes, push: 'true' }
  outputs.splice(at < 0 ? outputs.length : at, at < 0 ? 0 : 1, toStore(attributes))
}

function toStore(attributes: Readonly<Record<string, string>>): Output {
  return { asked: { type: 'image', attributes }, dest: undefined, isDirectory: false }
}

/** `type=…,dest=…`; a directory, or `-` for a tar on stdout. */
function parseOutput(text: string): Output {
  if (text === '-') return { asked: { type: 'tar', attributes: {} }, dest: '-', isDirectory: false }
  if (!text.includes('=')) return { asked: { type: 'local', attributes: {} }, dest: text, isDirectory: true }
  const { type, attributes } = parseTyped(text, 'output')
  const { dest, ...asked } = attributes
  switch (type) {
    case 'local':
      if (dest === undefined || dest === '-')
        throw commandError('output local needs a directory: type=local,dest=PATH')
      return { asked: { type, attributes: asked }, dest, isDirectory: true }
    case 'docker':
      if (dest === undefined) return toStore(asked)
      return { asked: { type, attributes: asked }, dest, isDirectory: asked['tar'] === 'false' }
    case 'tar':
    case 'oci':
      return { asked: { type, attributes: asked }, dest: dest ?? '-', isDirectory: asked['tar'] === 'false' }
    default:
      return { asked: { type, attributes }, dest: undefined, isDirectory: false }
  }
}

/** Said before anything is built. */
export function checkOutputs(outputs: readonly Output[], { io }: Pick<Context, 'io'>): void {
  for (const { dest, isDirectory } of outputs) {
    if (dest === '-' && io.stdout.isTTY === true) {
      throw commandError('refusing to write a tar to a terminal; redirect stdout, or give the output a dest')
    }
    if (dest === undefined || dest === '-') continue
    const path = resolve(io.cwd, dest)
    if (isDirectory && existsSync(path) && !statSync(path).isDirectory()) {
      throw commandError(`output ${dest} is a file; name a directory, or a path where none is yet`)
    }
    if (!isDirectory && existsSync(path) && statSync(path).isDirectory()) {
      throw commandError(`output ${dest} is a directory; name a file in it`)
    }
  }
}

/** Fetches what a build has left for its client, and puts it where it belongs. */
export async function writeOutputs(
  outputs: readonly Output[],
  { id, artifacts }: BuildOutcome,
  context: Context,
): Promise<void> {
  const { client, io, signal, err } = context
  for (const index of artifacts) {
    const { dest, isDirectory } = outputs[index] ?? {}
    if (dest === undefined) continue
    const open = async (): ReturnType<typeof client.builds.artifact> =>
      client.builds.artifact(id, index, { signal })
    const path = resolve(io.cwd, dest)
    if (isDirectory !== true) {
      await writeArchive(dest === '-' ? '' : path, context, open)
      continue
    }
    makeDirectory(path, dest)
    await unpack(
      await open(),
      { directory: path, from: '.', to: '.' },
      {
        // They are for who has built them.
        owners: false,
        skipped: (name, why) => err(`WARNING: ${name} is not in ${dest}: ${why}\n`),
      },
    )
  }
}

function makeDirectory(path: string, given: string): void {
  try {
    makeWithParents(path)
  } catch (error) {
    throw commandError(`cannot make the directory of output ${given}: ${messageOf(error)}`, error)
  }
}

/** As Node's own does, but where a directory that is there takes none (/proc), Node would try for ever. */
function makeWithParents(path: string): void {
  if (existsSync(path)) return
  const parent = dirname(path)
  if (!existsSync(parent)) makeWithParents(parent)
  try {
    mkdirSync(path)
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
  }
}

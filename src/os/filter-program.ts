import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EngineError, isKind } from '#base/errors.ts'
import { noting } from './noting.ts'
import { startProcess } from './process.ts'

export interface Filter {
  /** Reads its standard input and writes its standard output. */
  readonly argv: readonly [string, ...string[]]
  /** Debian's name of what has the program, for the message when it is missing. */
  readonly package: string
}

/** Of what a program says when it fails. */
const MAX_REASON = 512

/**
 * `source` as a program changes it. What the program refuses is `invalid_argument` with its own words; a program that is
 * not installed is `unavailable`. It is killed when the reader stops or the signal is aborted.
 */
export async function* throughProgram(
  filter: Filter,
  source: AsyncIterable<Uint8Array>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Uint8Array> {
  const { signal } = options
  signal?.throwIfAborted()
  const [program] = filter.argv
  const child = await startProcess(filter.argv, { env: { PATH: process.env['PATH'], LC_ALL: 'C' } }).catch(
    (error: unknown) => {
      throw isKind(error, 'not_found') ? notInstalled(filter, error) : error
    },
  )
  const kill = (): void => child.kill('SIGKILL')
  signal?.addEventListener('abort', kill, { once: true })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < MAX_REASON) said += chunk.toString('latin1')
  })
  const failures: unknown[] = []
  const sent = pipeline(Readable.from(noting(source, failures), { objectMode: false }), child.stdin).catch(
    () => undefined,
  ) // A program that ends early says why; a source that fails is among `failures`.
  try {
    yield* child.stdout as AsyncIterable<Uint8Array>
    const { code } = await child.exited
    signal?.throwIfAborted()
    if (failures.length > 0) throw failures[0]
    if (code !== 0) throw refused(program, said, code)
  } finally {
    signal?.removeEventListener('abort', kill)
    kill()
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
    await Promise.all([sent, child.exited])
  }
}

function refused(program: string, said: string, code: number): EngineError {
  const reason = said.replaceAll(/[^\x21-\x7e]+/g, ' ').trim()
  return new EngineError('invalid_argument', `${reason === '' ? `${program}: status ${code}` : reason}`, {
    code: 'COMPRESSION_INVALID',
    details: { program, code },
  })
}

function notInstalled({ argv: [program], package: name }: Filter, cause: unknown): EngineError {
  return new EngineError(
    'unavailable',
    `${program} is not installed on the engine's host: apt-get install ${name}`,
    {
      code: 'PROGRAM_MISSING',
      details: { program },
      cause,
    },
  )
}

import { once } from 'node:events'
import type { Duplex, Writable } from 'node:stream'
import { isErrno } from '#base/errors.ts'
import { demultiplex } from '#client/stdcopy.ts'
import type { Io } from '../io.ts'
import { DetachWatcher } from './detach-keys.ts'

export interface SessionOptions {
  /** Bytes pass as they are, and the terminal here becomes raw when stdin is one. */
  readonly tty: boolean
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly detachKeys?: string | undefined
}

/**
 * Joins a taken-over connection to the streams of this process until the other side has nothing more to say. The end
 * of our stdin closes only our half. Returns whether the keys to detach were the last thing that was typed.
 */
export async function runSession(
  stream: Duplex,
  io: Io,
  options: SessionOptions,
): Promise<{ detached: boolean }> {
  using _raw = options.tty && options.stdin && io.stdin.isTTY === true ? await io.rawTerminal() : undefined
  const watcher = new DetachWatcher(options.tty && options.stdin ? options.detachKeys : undefined)
  using _input = options.stdin ? pumpInput(stream, io, watcher) : endInput(stream)
  try {
    if (options.tty) await copy(stream, io.stdout)
    else await copyFrames(stream, io, options)
  } catch (error) {
    // The process at the other end may go while we write to it.
    if (!isErrno(error, 'ECONNRESET', 'EPIPE')) throw error
  }
  return { detached: watcher.seen }
}

function pumpInput(stream: Duplex, { stdin }: Io, watcher: DetachWatcher): Disposable {
  const onData = (chunk: Buffer): void => {
    watcher.push(chunk)
    if (!stream.write(chunk)) {
      stdin.pause()
      stream.once('drain', () => stdin.resume())
    }
  }
  const onEnd = (): void => void stream.end()
  // Errors of writing show up in the reading half; without a listener they would end the process.
  stream.on('error', () => undefined)
  stdin.on('data', onData).once('end', onEnd)
  return {
    [Symbol.dispose]: () => {
      stdin.off('data', onData).off('end', onEnd)
      stdin.pause()
      stream.destroy()
    },
  }
}

/** Without stdin, our half has nothing to say from the start. */
function endInput(stream: Duplex): Disposable {
  stream.on('error', () => undefined)
  stream.end()
  return { [Symbol.dispose]: () => void stream.destroy() }
}

async function copy(source: AsyncIterable<Uint8Array>, target: Writable): Promise<void> {
  for await (const chunk of source) await write(target, chunk)
}

/** Copies multiplexed output to where it belongs. */
export async function copyFrames(
  source: AsyncIterable<Uint8Array>,
  { stdout, stderr }: Pick<Io, 'stdout' | 'stderr'>,
  wanted: { readonly stdout: boolean; readonly stderr: boolean } = { stdout: true, stderr: true },
): Promise<void> {
  for await (const { stream, data } of demultiplex(source)) {
    if (wanted[stream]) await write(stream === 'stdout' ? stdout : stderr, data)
  }
}

async function write(target: Writable, chunk: Uint8Array): Promise<void> {
  if (!target.write(chunk)) await once(target, 'drain')
}

import { createInterface } from 'node:readline'
import { type Clock, systemClock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import { startProcess } from './process.ts'

/** What the kernel has told. */
export type KernelChange =
  /** A transaction has changed our nft table, whoever it was. */
  | { readonly kind: 'table' }
  /** A bridge of that name has gone, or was set down. */
  | { readonly kind: 'link'; readonly name: string }
  /** Something, but there was more than could be told; also after a restart of the watcher. */
  | { readonly kind: 'lost' }

export interface KernelWatchOptions {
  /** Path of `berth-watch`. */
  readonly program: string
  /** nft table in the `inet` family. */
  readonly table: string
  readonly logger: Logger
  readonly clock?: Clock
  readonly onChange: (change: KernelChange) => void
}

/** How long a watcher that has ended stays away, in ms. */
const PAUSE = 1000

/**
 * Hears of changes of the firewall and of bridges in the daemon's network namespace, by `berth-watch` (native/PROTOCOL.md
 * §5), until it is disposed. Rejects when that cannot be started.
 */
export async function watchKernel(options: KernelWatchOptions): Promise<AsyncDisposable> {
  const over = new AbortController()
  const first = await start(options)
  const watching = (async () => {
    for (let child = first; ;) {
      const stop = (): void => void child.stdin.end()
      over.signal.addEventListener('abort', stop, { once: true })
      for await (const line of createInterface({ input: child.stdout })) {
        const change = changeOf(line)
        if (change !== undefined) options.onChange(change)
      }
      await child.exited
      over.signal.removeEventListener('abort', stop)
      if (over.signal.aborted) return
      options.logger.warn('the watcher of the kernel has ended and is started again')
      const again = await restarted(options, over.signal)
      if (again === undefined) return
      child = again
      options.onChange({ kind: 'lost' })
    }
  })()
  return {
    async [Symbol.asyncDispose]() {
      over.abort()
      await watching
    },
  }
}

type Watcher = Awaited<ReturnType<typeof startProcess>>

async function start({ program, table, logger }: KernelWatchOptions): Promise<Watcher> {
  const child = await startProcess([program, table])
  child.stdin.on('error', () => undefined)
  createInterface({ input: child.stderr }).on('line', (line) =>
    logger.warn('watcher of the kernel', { line }),
  )
  return child
}

/** Undefined: it is over. */
async function restarted(options: KernelWatchOptions, signal: AbortSignal): Promise<Watcher | undefined> {
  const { clock = systemClock, logger } = options
  for (;;) {
    try {
      await clock.sleep(PAUSE, { signal })
      return await start(options)
    } catch (error) {
      if (signal.aborted) return undefined
      logger.warn('the watcher of the kernel cannot be started', { error })
    }
  }
}

function changeOf(line: string): KernelChange | undefined {
  if (line === 'table' || line === 'lost') return { kind: line }
  return line.startsWith('link ') ? { kind: 'link', name: line.slice(5) } : undefined
}

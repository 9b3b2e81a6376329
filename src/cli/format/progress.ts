import type { ProgressMessage } from '#client/images.ts'
import { DAEMON_ERROR } from '#client/errors.ts'
import { EngineError } from '#base/errors.ts'
import type { Output } from '../io.ts'
import { humanSize } from './units.ts'

/**
 * Shows a progress stream: on a terminal a line per layer that changes in place, elsewhere a line per step. With no
 * `output` it is only read. Rejects with the daemon's message when the stream reports a failure. Returns what came
 * as `aux`.
 */
export async function showProgress(
  messages: AsyncIterable<ProgressMessage>,
  output: Output | undefined,
): Promise<unknown[]> {
  const screen =
    output === undefined ? undefined : output.isTTY === true ? new Screen(output) : new Plain(output)
  const aux: unknown[] = []
  for await (const message of messages) {
    const failure = message.errorDetail?.message ?? message.error
    if (failure !== undefined) throw new EngineError('internal', failure, { code: DAEMON_ERROR })
    if (message.aux !== undefined && message.aux !== null) aux.push(message.aux)
    else screen?.show(message)
  }
  return aux
}

class Plain {
  readonly #output: Output

  constructor(output: Output) {
    this.#output = output
  }

  show({ stream, status, id, progressDetail }: ProgressMessage): void {
    if (stream !== undefined) this.#output.write(stream)
    // Counters would be a line each.
    else if (status !== undefined && progressDetail?.current === undefined) {
      this.#output.write(`${id === undefined || id === '' ? '' : `${id}: `}${status}\n`)
    }
  }
}

class Screen {
  readonly #output: Output
  /** Row of every id, counted from the first one. */
  readonly #rows = new Map<string, number>()

  constructor(output: Output) {
    this.#output = output
  }

  show({ stream, status = '', id, progressDetail }: ProgressMessage): void {
    if (stream !== undefined) {
      this.#output.write(stream)
      return
    }
    if (id === undefined || id === '') {
      this.#rows.clear()
      this.#output.write(`${status}\n`)
      return
    }
    let row = this.#rows.get(id)
    if (row === undefined) {
      row = this.#rows.size
      this.#rows.set(id, row)
      this.#output.write('\n')
    }
    const up = this.#rows.size - row
    const text = `${id}: ${status} ${bar(progressDetail, this.#output.columns ?? 80)}`.trimEnd()
    this.#output.write(`\u001b[${up}A\r\u001b[2K${text}\r\u001b[${up}B`)
  }
}

function bar(detail: ProgressMessage['progressDetail'], columns: number): string {
  const { current = 0, total = 0, units } = detail ?? {}
  if (current <= 0 && total <= 0) return ''
  if (units !== undefined && units !== '')
    return total > 0 ? `${current}/${total} ${units}` : `${current} ${units}`
  const size = humanSize(current)
  if (total <= 0) return size
  const width = columns > 110 ? 50 : 20
  const done = Math.min(width, Math.floor((current / total) * width))
  const line = '='.repeat(done).slice(0, -1) + (done > 0 ? '>' : '')
  return `[${line.padEnd(width)}] ${size}/${humanSize(total)}`
}

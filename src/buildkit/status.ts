import type { BuildMessage } from '#engine/builds/service.ts'
import type { StatusResponse } from './messages/control.ts'
import { type DockerfileSource, sourceInfo } from './dockerfile-source.ts'
import { timestampOf } from './wire/timestamp.ts'

/** What BuildKit's status stream says of a message; undefined for one that it has no words for. */
export function statusOf(
  message: BuildMessage,
  { now, source }: { readonly now: string; readonly source: DockerfileSource | undefined },
): StatusResponse | undefined {
  switch (message.type) {
    case 'vertex': {
      const { id: digest, name, inputs, cached = false, error = '', ...times } = message
      return { vertexes: [{ digest, name, inputs, cached, error, ...timesOf(times) }] }
    }
    case 'status': {
      const { id, vertex, current, total = 0, ...times } = message
      const counts = { current: BigInt(current), total: BigInt(total) }
      return {
        statuses: [{ id, vertex, name: '', ...counts, timestamp: timestampOf(now), ...timesOf(times) }],
      }
    }
    case 'log': {
      const { vertex, stream, data, at } = message
      return { logs: [{ vertex, stream: BigInt(stream), data, timestamp: timestampOf(at) }] }
    }
    case 'warning':
      return { warnings: [warningOf(message, source)] }
    default:
      return undefined
  }
}

function timesOf({
  started,
  completed,
}: {
  readonly started?: string | undefined
  readonly completed?: string | undefined
}): {
  started: ReturnType<typeof timestampOf> | undefined
  completed: ReturnType<typeof timestampOf> | undefined
} {
  return {
    started: started === undefined ? undefined : timestampOf(started),
    completed: completed === undefined ? undefined : timestampOf(completed),
  }
}

type WarningMessage = Extract<BuildMessage, { type: 'warning' }>
type Warnings = NonNullable<StatusResponse['warnings']>

function warningOf(
  { vertex, warning: { rule, message, description, range } }: WarningMessage,
  source: DockerfileSource | undefined,
): Warnings[number] {
  return {
    vertex,
    level: 1n,
    short: Buffer.from(`${rule}: ${message}`),
    detail: [Buffer.from(description)],
    url: '',
    info: source === undefined ? undefined : sourceInfo(source),
    ranges: [
      {
        start: { line: range.start.line, character: range.start.column - 1 },
        end: { line: range.end.line, character: range.end.column - 1 },
      },
    ],
  }
}

import type { BuildUpdate } from '#api/build-updates.ts'

/** An update as a line of BuildKit's `rawjson`; nothing for what BuildKit does not have. */
export function rawJsonLine(update: BuildUpdate, now: number): string {
  const document = statusOf(update, now)
  return document === undefined ? '' : `${JSON.stringify(document)}\n`
}

function statusOf(update: BuildUpdate, now: number): object | undefined {
  switch (update.type) {
    case 'vertex': {
      const { id, name, inputs, started, completed, cached, error } = update
      const told = { digest: id, inputs, name, started, completed, cached, error }
      return { vertexes: [told] }
    }
    case 'status': {
      const { vertex, id, current, total, started, completed } = update
      const timestamp = completed ?? new Date(now).toISOString()
      return { statuses: [{ id, vertex, total, current, timestamp, started, completed }] }
    }
    case 'log': {
      const { vertex, stream, data, at } = update
      return { logs: [{ vertex, stream, data: base64(data), timestamp: at }] }
    }
    case 'warning': {
      const { vertex, warning } = update
      const short = `${warning.rule}: ${warning.message} (line ${warning.range.start.line})`
      const detail = [base64(Buffer.from(warning.description))]
      return {
        warnings: [
          { vertex, level: 1, short: base64(Buffer.from(short)), detail, range: [rangeOf(warning)] },
        ],
      }
    }
    default:
      return undefined
  }
}

function rangeOf({ range }: Extract<BuildUpdate, { type: 'warning' }>['warning']): object {
  return {
    start: { line: range.start.line, character: range.start.column - 1 },
    end: { line: range.end.line, character: range.end.column - 1 },
  }
}

function base64(data: Uint8Array): string {
  return Buffer.from(data).toString('base64')
}

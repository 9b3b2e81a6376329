import { logConfigOf } from '../containers/container-log.ts'
import type { Container } from '../containers/container.ts'
import type { JsonFileLogs } from './json-file-logs.ts'
import { isReadable } from './log-options.ts'

const EVERYTHING = {
  tty: true,
  stdout: true,
  stderr: true,
  follow: false,
  timestamps: false,
  details: false,
  since: undefined,
  until: undefined,
  ended: undefined,
} as const
/** Bytes of a line that are shown. */
const LONGEST = 500

/** The end of a container's log, as text; none when there is no log that may be read. */
export async function lastLines(
  logs: Pick<JsonFileLogs, 'read'>,
  container: Container,
  file: string,
  count: number,
): Promise<readonly string[]> {
  if (!isReadable(logConfigOf(container))) return []
  const chunks = await Array.fromAsync(logs.read(file, { ...EVERYTHING, tail: count }))
  const lines = Buffer.concat(chunks)
    .toString()
    .replace(/\r?\n$/, '')
    .split(/\r?\n/)
  return lines.length === 1 && lines[0] === ''
    ? []
    : lines.slice(-count).map((line) => line.slice(0, LONGEST))
}

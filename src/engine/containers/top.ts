import type { ContainerTopResponse } from '#api/generated/types.ts'
import { EngineError } from '#base/errors.ts'
import type { RunResult } from '#os/helper.ts'

/** The rows of `ps` that belong to `pids`; the last column may contain spaces. */
export function parseTop(ps: RunResult, pids: readonly number[]): ContainerTopResponse {
  if (ps.code !== 0) {
    throw new EngineError('invalid_argument', `ps: ${ps.stderr.trim()}`, { code: 'PS_FAILED' })
  }
  const [header = '', ...lines] = ps.stdout.split('\n').filter((line) => line.trim() !== '')
  const titles = header.trim().split(/\s+/)
  const pidColumn = titles.indexOf('PID')
  if (pidColumn < 0) {
    throw new EngineError('invalid_argument', "Couldn't find PID field in ps output", { code: 'PS_NO_PID' })
  }
  const wanted = new Set(pids)
  const processes = lines
    .map((line) => columns(line, titles.length))
    .filter((row) => wanted.has(Number(row[pidColumn])))
  return { Titles: titles, Processes: processes }
}

function columns(line: string, count: number): string[] {
  const words = line.trim().split(/\s+/)
  return [...words.slice(0, count - 1), words.slice(count - 1).join(' ')]
}

/** A build of two stages side by side, told as an engine tells it: for tests of what shows it. */
import type { Digest } from '#base/digest.ts'
import type { BuildUpdate } from '#api/build-updates.ts'

const BEGAN = Date.parse('2026-01-02T03:04:05Z')

/** Milliseconds after the beginning, as updates have it. */
function timeAt(after: number): string {
  return new Date(BEGAN + after).toISOString()
}

export function nowAt(after: number): number {
  return BEGAN + after
}

const idOf = (digit: string): Digest => `sha256:${digit.repeat(64)}`

export function vertex(digit: string, name: string, times: Times = {}): BuildUpdate {
  const { from, to, ...more } = times
  return {
    type: 'vertex',
    id: idOf(digit),
    name,
    inputs: [],
    ...(from === undefined ? {} : { started: timeAt(from) }),
    ...(to === undefined ? {} : { completed: timeAt(to) }),
    ...more,
  }
}

interface Times {
  readonly from?: number
  readonly to?: number
  readonly cached?: boolean
  readonly error?: string
}

export function log(digit: string, text: string, after: number): BuildUpdate {
  return { type: 'log', vertex: idOf(digit), stream: 1, data: Buffer.from(text), at: timeAt(after) }
}

export function count(digit: string, id: string, current: number, more: object = {}): BuildUpdate {
  return { type: 'status', vertex: idOf(digit), id, current, ...more }
}

/** Each with the time at which it comes. */
export const twoStages: readonly (readonly [number, BuildUpdate])[] = [
  [10, vertex('1', '[internal] load build context', { from: 0 })],
  [20, count('1', 'transferring context:', 1_500_000, { total: 3_000_000, started: timeAt(0) })],
  [
    90,
    count('1', 'transferring context:', 3_000_000, {
      total: 3_000_000,
      started: timeAt(0),
      completed: timeAt(90),
    }),
  ],
  [100, vertex('1', '[internal] load build context', { from: 0, to: 100 })],
  [110, vertex('2', '[build 1/3] FROM docker.io/library/gcc:14', { from: 100, to: 100, cached: true })],
  [
    120,
    vertex('3', '[build 2/3] RUN apt-get update && apt-get install --yes make pkg-config libssl-dev', {
      from: 110,
    }),
  ],
  [130, vertex('4', '[docs 2/2] RUN mkdocs build', { from: 115 })],
  [500, log('3', 'Get:1 http://deb.example trixie\nGet:2', 480)],
  [600, log('4', 'INFO\t- Building\n', 590)],
  [900, log('3', ' http://deb.example updates\n\u001b[32mdone\u001b[0m 10%\rdone 100%\n', 890)],
  [1300, vertex('4', '[docs 2/2] RUN mkdocs build', { from: 115, to: 1300 })],
  [2000, log('3', 'last words without an end', 1990)],
  [
    2100,
    vertex('3', '[build 2/3] RUN apt-get update && apt-get install --yes make pkg-config libssl-dev', {
      from: 110,
      to: 2100,
    }),
  ],
  [2150, vertex('5', '[build 3/3] COPY <<EOF /etc/motd\nhello\nEOF', { from: 2100, to: 2140 })],
  [2200, vertex('6', 'exporting to image', { from: 2150 })],
  [2210, count('6', 'writing image sha256:5e5e', 0, { started: timeAt(2200), completed: timeAt(2200) })],
  [2220, vertex('6', 'exporting to image', { from: 2150, to: 2215 })],
]

export const failing: readonly (readonly [number, BuildUpdate])[] = [
  [10, vertex('1', '[1/2] FROM docker.io/library/busybox', { from: 0, to: 5 })],
  [20, vertex('2', '[2/2] RUN make', { from: 10 })],
  [30, vertex('3', '[docs 1/1] RUN sleep 9', { from: 15 })],
  [1000, log('2', Array.from({ length: 14 }, (_, i) => `line ${i + 1}\n`).join(''), 900)],
  [
    1100,
    vertex('2', '[2/2] RUN make', {
      from: 10,
      to: 1100,
      error: 'process "/bin/sh -c make" did not complete successfully: exit code: 2',
    }),
  ],
]

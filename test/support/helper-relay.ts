/**
 * Stands between a daemon and its helper: passes frames on (native/PROTOCOL.md §1), counts those that change something, and
 * kills the daemon at the one that is asked for. Started by the script that kill-points.ts writes.
 *
 *     helper-relay.ts PLAN DAEMON_PID TO_HELPER FROM_HELPER
 */
import { appendFileSync, openSync, readFileSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import type { Plan } from './kill-points.ts'

const [plan = '', daemon = '', toHelper = '', fromHelper = ''] = process.argv.slice(2)

const QUIET = ['ping', 'lock', 'syncfs']
let count = 0
let nonce = -1
/** The request whose reply the daemon must not live to see. */
let fatal: number | undefined

// Opened in the order in which the helper's shell opens them. Sockets do not read in a thread: one that waits for the
// helper would keep this process from ending when the daemon is gone, and so the helper, which waits for that.
const down = new Socket({ fd: openSync(toHelper, 'w'), readable: false })
const up = new Socket({ fd: openSync(fromHelper, 'r'), writable: false })
rmSync(dirname(toHelper), { recursive: true })

// A daemon that was killed resets its pipes: its helper is to end then, as without this relay.
for (const pipe of [process.stdin, process.stdout, down, up]) pipe.on('error', () => process.exit())

void (async () => {
  for await (const frame of frames(process.stdin)) {
    const id = frame.readUInt32LE(4)
    const fields = frame.toString('utf8', 8).split('\0').slice(0, -1)
    const when = isEffect(fields) ? step(fields) : undefined
    if (when === 'before') kill()
    if (when === 'after') fatal = id
    if (when !== 'before') down.write(frame)
  }
  down.end()
})()

for await (const frame of frames(up)) {
  if (frame.readUInt32LE(4) === fatal) kill()
  else process.stdout.write(frame)
}

function isEffect([operation = '', , ...argv]: readonly string[]): boolean {
  if (operation !== 'run') return !QUIET.includes(operation)
  return !argv.includes('-j') && !argv.includes('list') && !argv.includes('show')
}

/** Whether this is the step that the plan is about. */
function step([operation = '', , ...argv]: readonly string[]): 'before' | 'after' | undefined {
  const wanted = JSON.parse(readFileSync(plan, 'utf8')) as Plan
  if (wanted.nonce !== nonce) count = 0
  nonce = wanted.nonce
  count++
  const text = operation === 'run' ? argv.slice(0, 5).join(' ') : operation
  appendFileSync(`${plan}.log`, `${nonce} ${count} ${text}\n`)
  return count === wanted.step ? wanted.when : undefined
}

function kill(): void {
  process.kill(Number(daemon), 'SIGKILL')
}

/** Frames with their length in front. */
async function* frames(source: Readable): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0)
  for await (const chunk of source as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4) {
      const end = 4 + rest.readUInt32LE(0)
      if (rest.length < end) break
      yield rest.subarray(0, end)
      rest = rest.subarray(end)
    }
  }
}

/** `make demo` as a person meets it: it ends well, it can be interrupted, and it leaves nothing either way. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const DEMO = join(import.meta.dirname, '../../tools/demo.ts')

/** What the demo names after itself, in the kernel and on disk. */
function traces(): string[] {
  const links = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }).match(/\bberth-[0-9a-f]{6}\b/g) ?? []
  const tables =
    execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).match(/\bberth_[0-9a-f]{6}\b/g) ?? []
  const groups = globSync(['/sys/fs/cgroup/berth-??????', '/sys/fs/cgroup/*/berth-??????'])
  const mounts = readFileSync('/proc/self/mounts', 'utf8').match(/\S*berth-demo-\S*/g) ?? []
  const processes = readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && commandLine(pid).includes('/berth-demo-'),
  )
  return [
    ...links,
    ...tables,
    ...groups,
    ...mounts,
    ...processes,
    ...globSync(join(tmpdir(), 'berth-demo-*')),
  ]
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // ended meanwhile
  }
}

interface Ended {
  readonly code: number | null
  readonly text: string
}

/** Runs the demo; gets `signal` as soon as it has printed `at`. */
async function demo(at?: string, signal: NodeJS.Signals = 'SIGINT'): Promise<Ended> {
  const child = spawn(process.execPath, [DEMO], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  const onData = (chunk: Buffer): void => {
    const before = text
    text += chunk.toString()
    if (at !== undefined && text.includes(at) && !before.includes(at)) child.kill(signal)
  }
  child.stdout.on('data', onData)
  child.stderr.on('data', onData)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, text }
}

describe('the demo', () => {
  it('runs containers of a real Debian, shows a published port, and leaves nothing', async () => {
    const { code, text } = await demo()
    assert.equal(code, 0, text)
    assert.match(text, /PRETTY_NAME="Debian/)
    assert.match(text, /pid 1 on Linux\nroot\n/)
    assert.match(text, /\b1 pts\/0 +\S+ bash$/m)
    assert.match(text, /A \/root\/note\n/)
    assert.equal(text.match(/^Hello from [0-9a-f]{12}, a container\.$/gm)?.length, 2, text)
    assert.match(text, /web: Up /)
    assert.match(text, /What it did/)
    assert.deepEqual(traces(), [])
  })

  it('leaves nothing when it is interrupted with containers running', async () => {
    const { code, text } = await demo('berth logs web', 'SIGINT')
    assert.equal(code, 130, text)
    assert.match(text, /interrupted; everything it made is removed/)
    assert.deepEqual(traces(), [])
  })

  it('removes what a killed one has left', async () => {
    const { code } = await demo('berth logs web', 'SIGKILL')
    assert.equal(code, null)
    assert.notDeepEqual(traces(), [])
    assert.equal((await demo()).code, 0)
    assert.deepEqual(traces(), [])
  })
})

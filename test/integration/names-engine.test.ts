/** Names of containers while their engine, and the resolver itself, are killed. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { EngineApi } from '#test/support/engine-api.ts'

/** Counts look-ups, and those that failed. */
const ASKING =
  'i=0; f=0; while :; do nslookup web >/dev/null 2>&1 || f=$((f+1)); i=$((i+1)); echo "$i $f"; done'
const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

let api: EngineApi
let supported: boolean

before(async () => {
  api = await EngineApi.start()
  const { status } = await api.daemon.call('POST', '/networks/create', { Name: 'front' })
  supported = status === 201
})
after(async () => {
  await api.daemon.removeAll()
  await api[Symbol.asyncDispose]()
})

describe('names of containers', () => {
  it('resolve without a failure while the daemon is killed and comes again', async (t) => {
    if (!supported) return t.skip('this engine has no user-defined networks')
    const asking = await pair()
    const before = await progress(asking, 20)
    assert.equal(before.failed, 0)
    await api.daemon.down('SIGKILL')
    await api.daemon.up()
    const { asked, failed } = await progress(asking, before.asked + 20)
    assert.equal(failed, 0, `${failed} of ${asked} failed`)
    await api.daemon.removeAll()
  })

  it('resolve again at once when the resolver is killed', async (t) => {
    if (!supported) return t.skip('this engine has no user-defined networks')
    const asking = await pair()
    await progress(asking, 20)
    const [victim] = resolvers(api.daemon.marks.execRoot)
    assert.ok(victim !== undefined)
    process.kill(victim, 'SIGKILL')
    const before = await progress(asking, (await progress(asking, 0)).asked + 20)
    const { asked, failed } = await progress(asking, before.asked + 50)
    assert.equal(failed, before.failed, 'no look-up fails once names are back')
    t.diagnostic(`${failed} of ${asked} look-ups failed in the gap`)
    const [next, ...more] = resolvers(api.daemon.marks.execRoot)
    assert.ok(next !== undefined && next !== victim && more.length === 0)
    await api.daemon.removeAll()
  })
})

/** Two containers on one network; the second asks for the first. */
async function pair(): Promise<string> {
  // `removeAll` has taken the one before.
  await api.call('POST', '/networks/create', { Name: 'front' }, 201, 409)
  const HostConfig = { NetworkMode: 'front' }
  await api.started({ Cmd: FOREVER, HostConfig }, 'web')
  return api.started({ Cmd: ASKING, HostConfig })
}

/** What it counted last, as soon as that is at least `asked`. */
async function progress(
  id: string,
  asked: number,
): Promise<{ readonly asked: number; readonly failed: number }> {
  return api.until(`look-up ${asked}`, async () => {
    const last = (await api.logs(id, '&tail=1')).out.trim().split(' ').map(Number)
    const [count = 0, failed = 0] = last
    return count >= asked && { asked: count, failed }
  })
}

function resolvers(execRoot: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return line.includes('berth-dns') && line.includes(`${execRoot}/`)
      } catch {
        return false // ended meanwhile
      }
    })
}

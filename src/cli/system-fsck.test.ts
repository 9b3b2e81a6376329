import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeCaller, runCli } from '#test/support/cli.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'
import { main } from './main.ts'

const layer = {
  object: { kind: 'layer', name: 'sha256:aaaa' },
  problem: 'its bytes are not those of its diffID',
  damage: { images: ['nginx:1.25'], containers: ['web'] },
  action: 'repair will fetch it again; or pull nginx:1.25',
  repaired: false,
}
const stray = {
  object: { kind: 'file', name: 'layers/\u001b[2Jcore' },
  problem: 'nothing needs it',
  damage: { images: [], containers: [] },
  action: 'done: remove it',
  repaired: true,
}

const engineWith = (findings: readonly object[], repaired: number): Promise<ScriptedEngine> =>
  ScriptedEngine.start({
    'POST /berth/fsck': {
      stream: [
        { status: 'Checking images' },
        { status: 'Checking layers', id: 'layers', progressDetail: { current: 1, total: 2 } },
        ...findings.map((finding) => ({ finding })),
        { summary: { findings: findings.length, repaired } },
      ],
    },
  })

describe('berth system fsck', () => {
  it('says what is wrong with what, whom it hits, and what to do', async () => {
    await using engine = await engineWith([layer], 0)
    assert.deepEqual(await runCli(['system', 'fsck'], { host: engine.host }), {
      code: 1,
      stdout: `layer sha256:aaaa: its bytes are not those of its diffID
  affects images nginx:1.25; containers web
  repair will fetch it again; or pull nginx:1.25
1 finding; nothing was changed. 'berth system fsck --repair' repairs what the engine can.
`,
      stderr: 'Checking images\n',
    })
    assert.equal(engine.requests[0]?.query.get('repair'), null)
  })

  it('repairs when told so, and fails while something is left', async () => {
    await using engine = await engineWith([stray, layer], 1)
    const { code, stdout } = await runCli(['system', 'fsck', '--repair'], { host: engine.host })
    assert.equal(engine.requests[0]?.query.get('repair'), '1')
    assert.equal(code, 1)
    assert.match(stdout, /^file layers\/ \[2Jcore: nothing needs it\n {2}done: remove it\n/)
    assert.match(stdout, /2 findings, 1 repaired, 1 left to you\.\n$/)
    await using good = await engineWith([stray], 1)
    const all = await runCli(['system', 'fsck', '--repair'], { host: good.host })
    assert.deepEqual([all.code, all.stdout.split('\n').at(-2)], [0, '1 finding, all repaired.'])
  })

  it('tells the engine who asks registries for what is damaged', async () => {
    await using engine = await engineWith([], 0)
    const bob = { username: 'bob', password: 's3' }
    const asked = async (...args: string[]): Promise<unknown> => {
      engine.asked.length = 0
      const auth = Buffer.from('bob:s3').toString('base64')
      const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'host:5000': { auth } } }) }
      await runCli(['system', 'fsck', ...args], { host: engine.host, env })
      const header = engine.requests[0]?.headers['x-registry-config']
      return header === undefined
        ? undefined
        : (JSON.parse(Buffer.from(String(header), 'base64').toString()) as unknown)
    }
    assert.equal(await asked(), undefined)
    assert.deepEqual(await asked('--repair'), { 'host:5000': { ...bob, serveraddress: 'host:5000' } })
  })

  it('is content with a sound store, and leaves no progress on the terminal', async () => {
    await using engine = await engineWith([], 0)
    const caller = new FakeCaller({ host: engine.host, tty: true })
    assert.equal(await main(['system', 'fsck'], caller), 0)
    assert.equal(caller.stdout.text, 'Everything is as it should be.\n')
  })

  it('passes on why it could not check', async () => {
    await using engine = await ScriptedEngine.start({
      'POST /berth/fsck': { stream: [{ errorDetail: { message: 'checked already' } }] },
    })
    const { code, stderr } = await runCli(['system', 'fsck'], { host: engine.host })
    assert.deepEqual([code, stderr], [1, 'Error response from daemon: checked already\n'])
  })
})

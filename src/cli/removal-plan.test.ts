import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runCli, type CliResult } from '#test/support/cli.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'

const id = (digit: string): string => digit.repeat(64)
const items = [
  { Kind: 'container', ID: id('c'), Name: 'old', Size: 1000 },
  { Kind: 'volume', ID: 'data', Name: 'data', Size: 500 },
  { Kind: 'name', ID: `sha256:${id('1')}`, Name: 'app:1' },
  { Kind: 'image', ID: `sha256:${id('1')}`, Name: '' },
  { Kind: 'layer', ID: `sha256:${id('2')}`, Name: '' },
  { Kind: 'cache', ID: 'abc', Name: '[2/2] RUN make', Size: 200 },
]

const done: ScriptedEngine['answers'] = {
  [`DELETE /containers/${id('c')}`]: { status: 204 },
  'DELETE /volumes/data': { status: 204 },
  'DELETE /images/app:1': { json: [] },
  [`DELETE /images/sha256:${id('1')}`]: { status: 404, json: { message: 'No such image' } },
  'POST /build/prune': { json: { CachesDeleted: ['abc'], SpaceReclaimed: 200 } },
}

function berth(engine: ScriptedEngine, line: string): Promise<CliResult> {
  return runCli(line.split(' '), { host: engine.host })
}

async function tokenFor(engine: ScriptedEngine): Promise<string> {
  const { stdout } = await berth(engine, 'system prune -a --volumes --dry-run')
  return /--token ([0-9a-f]{16})/.exec(stdout)?.[1] ?? ''
}

describe('--dry-run', () => {
  it('shows what would be removed, and removes nothing', async () => {
    await using engine = await ScriptedEngine.start({ 'GET /berth/prune-plan': { json: { Items: items } } })
    const { code, stdout, stderr } = await berth(
      engine,
      'system prune -a --volumes --filter label=x --dry-run',
    )
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(
      stdout,
      /^TYPE +ID +NAME +SIZE\ncontainer +c{12} +old +1kB\nvolume +data +500B\nname +1{12} +app:1 +\n/,
    )
    assert.match(
      stdout,
      /\nThis would free 1\.7kB, and what only these images have\. To remove exactly this, use --token /,
    )
    const [asked, ...others] = engine.requests
    assert.deepEqual([asked?.method, others], ['GET', []])
    assert.deepEqual(Object.fromEntries(asked?.query ?? []), {
      containers: '{"label":{"x":true}}',
      networks: '{"label":{"x":true}}',
      volumes: '{"label":{"x":true}}',
      images: '{"label":{"x":true},"dangling":{"false":true}}',
      cache: '{"label":{"x":true}}',
      all: '1',
    })
  })

  it('says that there is nothing', async () => {
    await using engine = await ScriptedEngine.start({ 'GET /berth/prune-plan': { json: { Items: [] } } })
    assert.equal((await berth(engine, 'volume prune --dry-run')).stdout, 'Nothing would be removed.\n')
  })

  it('needs an engine that can say it', async () => {
    await using engine = await ScriptedEngine.start({
      'GET /berth/prune-plan': { status: 404, json: { message: 'page not found' } },
    })
    const { code, stderr } = await berth(engine, 'container prune --dry-run')
    assert.deepEqual([code, engine.requests.length], [1, 1])
    assert.match(stderr, /this engine cannot say what it would remove/)
  })
})

describe('--token', () => {
  it('removes exactly what was shown, object by object', async () => {
    await using engine = await ScriptedEngine.start({
      ...done,
      'GET /berth/prune-plan': { json: { Items: items } },
    })
    const token = await tokenFor(engine)
    engine.asked.length = 0
    const { code, stdout, stderr } = await berth(engine, `system prune -a --volumes --token ${token}`)
    assert.deepEqual([code, stderr], [0, ''])
    assert.equal(
      stdout,
      `container old\nvolume data\nname app:1\nimage sha256:${id('1')}\ncache [2/2] RUN make\n`,
    )
    assert.deepEqual(
      engine.requests.slice(1).map(({ method, path }) => `${method} ${path}`),
      Object.keys(done),
    )
    assert.equal(engine.requests.at(-1)?.query.get('filters'), '{"id":{"abc":true}}')
  })

  it('removes nothing when there is something else to remove by now', async () => {
    const answers: ScriptedEngine['answers'] = {
      ...done,
      'GET /berth/prune-plan': { json: { Items: items } },
    }
    await using engine = await ScriptedEngine.start(answers)
    const token = await tokenFor(engine)
    for (const other of [items.slice(1), [...items, { ...items[0], ID: id('d') }], items.toReversed()]) {
      engine.answers['GET /berth/prune-plan'] = { json: { Items: other } }
      engine.asked.length = 0
      const { code, stderr } = await berth(engine, `system prune -a --volumes --token ${token}`)
      assert.deepEqual([code, engine.requests.length], [1, 1])
      assert.match(stderr, /^nothing was removed: token [0-9a-f]{16} is for something else/)
    }
  })

  it('leaves what somebody has taken into use, and says so', async () => {
    await using engine = await ScriptedEngine.start({
      ...done,
      'DELETE /volumes/data': { status: 409, json: { message: 'volume is in use' } },
      'GET /berth/prune-plan': { json: { Items: items.slice(0, 2) } },
    })
    const { stdout: shown } = await berth(engine, 'system prune --dry-run')
    const token = /--token (\w+)/.exec(shown)?.[1] ?? ''
    const { code, stdout, stderr } = await berth(engine, `system prune --token ${token}`)
    assert.deepEqual([code, stdout], [1, 'container old\n'])
    assert.equal(stderr, 'volume data stays: Error response from daemon: volume is in use\n')
  })
})

describe('berth rm --dry-run', () => {
  const web = {
    Id: id('a'),
    Name: '/web',
    State: { Running: false, Status: 'exited' },
    SizeRw: 10,
    Mounts: [
      { Type: 'volume', Name: id('e') },
      { Type: 'volume', Name: id('f') },
      { Type: 'volume', Name: 'named' },
      { Type: 'bind', Source: '/tmp' },
    ],
  }
  const anonymous = { 'com.docker.volume.anonymous': '' }
  const answers: ScriptedEngine['answers'] = {
    '/containers/web/json': { json: web },
    [`/volumes/${id('e')}`]: {
      json: { Name: id('e'), Labels: anonymous, Berth: { UsedBy: [{ Id: id('a') }] } },
    },
    [`/volumes/${id('f')}`]: {
      json: { Name: id('f'), Labels: anonymous, Berth: { UsedBy: [{ Id: id('b') }] } },
    },
    '/volumes/named': { json: { Name: 'named', Labels: null } },
  }

  it('shows the container, and with -v the anonymous volumes that nobody else uses', async () => {
    await using engine = await ScriptedEngine.start(answers)
    const lines = (text: string): string[] => text.split('\n').slice(1, -2).filter(Boolean)
    assert.equal(lines((await berth(engine, 'rm --dry-run web')).stdout).length, 1)
    const shown = lines((await berth(engine, 'rm -v --dry-run web')).stdout)
    assert.match(shown.join('\n'), /^container +a{12} +web +10B\nvolume +e{64} *$/)
  })

  it('says that a running one needs force', async () => {
    const running = { ...web, State: { Running: true, Status: 'running' } }
    await using engine = await ScriptedEngine.start({ ...answers, '/containers/web/json': { json: running } })
    const { code, stderr } = await berth(engine, 'rm --dry-run web')
    assert.equal(code, 1)
    assert.match(stderr, /cannot remove container "web": container is running/)
    assert.equal((await berth(engine, 'rm -f --dry-run web')).code, 0)
  })
})

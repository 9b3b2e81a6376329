import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runCli } from '#test/support/cli.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'

describe('berth images', () => {
  const asked = async (args: string): Promise<Record<string, unknown>> => {
    await using engine = await ScriptedEngine.start({ 'GET /images/json': { json: [] } })
    const { code, stderr } = await runCli(args.split(' '), { host: engine.host })
    assert.deepEqual([code, stderr], [0, ''], args)
    const query = Object.fromEntries(engine.requests[0]?.query ?? [])
    const { filters = '{}' } = query
    return { ...query, filters: JSON.parse(filters) as unknown }
  }

  it('passes patterns and filters on together', async () => {
    assert.deepEqual(await asked('images'), { filters: {} })
    assert.deepEqual(await asked('image ls -a busybox:1*'), {
      all: '1',
      filters: { reference: { 'busybox:1*': true } },
    })
    assert.deepEqual(await asked('images -f reference=a -f dangling=true b'), {
      filters: { reference: { a: true, b: true }, dangling: { true: true } },
    })
  })

  it('asks for platforms for its tree, with the same filters', async () => {
    assert.deepEqual(await asked('images --tree'), { manifests: '1', filters: {} })
    assert.deepEqual(await asked('image ls --tree -a host:5000/x'), {
      manifests: '1',
      all: '1',
      filters: { reference: { 'host:5000/x': true } },
    })
  })

  it('asks how images of a name were made, for the platforms that are here', async () => {
    const manifest = (architecture: string, Available: boolean, Kind = 'image'): object => ({
      ID: `sha256:${'e'.repeat(64)}`,
      Kind,
      Available,
      Size: { Content: 10, Total: 30 },
      ImageData: { Platform: { os: 'linux', architecture } },
    })
    const Manifests = [
      manifest('amd64', true),
      manifest('s390x', false),
      manifest('unknown', true, 'attestation'),
    ]
    await using engine = await ScriptedEngine.start({
      'GET /images/json': { json: [{ Id: 'sha256:aa', RepoTags: ['app:1'], Manifests }] },
      'GET /images/sha256:aa/history': { json: [{ CreatedBy: 'RUN make', Size: 4_200_000 }] },
    })
    const { stdout, stderr } = await runCli(['images', '--tree', 'app'], { host: engine.host })
    assert.match(stdout, /├─ linux\/amd64 .*\n│ {2}└─ RUN make +4\.2MB\n└─ linux\/s390x /, stderr)
    assert.equal(engine.requests.length, 2)
    assert.match(engine.requests[1]?.query.get('platform') ?? '', /amd64/)
    assert.ok(!(await runCli(['images', '--tree'], { host: engine.host })).stdout.includes('make'))
  })

  it('refuses a tree in another form', async () => {
    for (const flag of ['-q', '--digests', '--format=json']) {
      const { code, stderr } = await runCli(['images', '--tree', flag])
      assert.equal(code, 1)
      assert.match(stderr, /conflicting options: --tree has lines of its own/)
    }
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runCli } from '#test/support/cli.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'

const answers: ScriptedEngine['answers'] = {
  '/containers/prune': { json: { ContainersDeleted: ['c1', 'c2'], SpaceReclaimed: 1000 } },
  '/networks/prune': { json: { NetworksDeleted: null } },
  '/volumes/prune': { json: { VolumesDeleted: ['v1'], SpaceReclaimed: 500 } },
  '/images/prune': {
    json: { ImagesDeleted: [{ Untagged: 'a:1' }, { Deleted: 'sha256:b' }], SpaceReclaimed: 2000 },
  },
  '/build/prune': { json: { CachesDeleted: ['q1'], SpaceReclaimed: 3 } },
}

describe('berth system prune', () => {
  it('says what it will do, and does nothing without a yes', async () => {
    await using engine = await ScriptedEngine.start(answers)
    const args = ['system', 'prune', '-a', '--filter', 'label=x=1']
    const { code, stdout } = await runCli(args, { host: engine.host, stdin: 'n\n' })
    assert.deepEqual([code, engine.requests], [0, []])
    assert.equal(
      stdout,
      `WARNING! This will remove:
  - all stopped containers
  - all networks not used by at least one container
  - all images without at least one container associated to them
  - all build cache

Items to be pruned will be filtered with:
  - label=x=1

Are you sure you want to continue? [y/N] `,
    )
  })

  it('removes containers first, and reports everything', async () => {
    await using engine = await ScriptedEngine.start(answers)
    const { code, stdout } = await runCli(['system', 'prune', '-f', '--volumes'], { host: engine.host })
    assert.equal(code, 0)
    assert.deepEqual(
      engine.requests.map(({ path }) => path),
      ['/containers/prune', '/networks/prune', '/volumes/prune', '/images/prune', '/build/prune'],
    )
    assert.equal(engine.requests[3]?.query.get('filters'), '{"dangling":{"true":true}}')
    assert.equal(
      stdout,
      `Deleted Containers:
c1
c2

Deleted Volumes:
v1

Deleted Images:
untagged: a:1
deleted: sha256:b

Deleted build cache objects:
q1

Total reclaimed space: 3.503kB
`,
    )
  })

  it('has said what is gone when a later step fails', async () => {
    await using engine = await ScriptedEngine.start({
      ...answers,
      '/images/prune': { status: 409, json: { message: 'a prune operation is already running' } },
    })
    const { code, stdout, stderr } = await runCli(['system', 'prune', '-f'], { host: engine.host })
    assert.deepEqual([code, stdout], [1, 'Deleted Containers:\nc1\nc2\n\n'])
    assert.equal(stderr, 'Error response from daemon: a prune operation is already running\n')
  })

  it('does not remove volumes by an age that they do not have', async () => {
    await using engine = await ScriptedEngine.start(answers)
    const args = ['system', 'prune', '-f', '--volumes', '--filter', 'until=24h']
    const { code, stderr } = await runCli(args, { host: engine.host })
    assert.deepEqual([code, engine.requests], [1, []])
    assert.match(stderr, /the "until" filter does not go with "--volumes"/)
  })
})

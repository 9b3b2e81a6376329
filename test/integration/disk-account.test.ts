/** `system df` explains every byte: its categories add up to what du says, after anything that people do with images. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DiskAccount } from '#engine/system/disk-account.ts'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import { run } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { randomOf } from '#test/support/random.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())

async function account(): Promise<DiskAccount> {
  return (await api.call('GET', '/system/df')).json<{ Berth: DiskAccount }>().Berth
}

function du(): number {
  const { stdout } = run('du', ['-s', '--block-size=1', api.daemon.marks.dataRoot])
  return Number.parseInt(stdout, 10)
}

/** What is removed is freed in the background: until that is over, both change. */
async function balanced(): Promise<DiskAccount> {
  return api.until('df and du to say the same', async () => {
    const before = du()
    const found = await account()
    const sum = found.Categories.reduce((total, { Size }) => total + Size, 0)
    assert.equal(sum, found.Total)
    assert.equal(found.Root, api.daemon.marks.dataRoot)
    return found.Total === before && before === du() ? found : undefined
  })
}

function sizeOf({ Categories }: DiskAccount, name: string): { Size: number; Reclaimable: number } {
  const found = Categories.find(({ Name }) => Name === name)
  assert.ok(found, name)
  return found
}

async function anything(random: ReturnType<typeof randomOf>): Promise<void> {
  const images = (await api.call('GET', '/images/json?all=1')).json<
    { Id: string; RepoTags: string[] | null }[]
  >()
  const containers = (await api.call('GET', '/containers/json?all=1')).json<{ Id: string }[]>()
  const image = random.pick(images)
  const container = random.pick(containers)
  const statuses = [200, 201, 204, 304, 404, 409]
  const post = (path: string, body?: unknown): Promise<unknown> => api.call('POST', path, body, ...statuses)
  switch (random.below(9)) {
    case 0:
    case 1: {
      const content = random.text(random.below(200_000))
      return api.import(
        `made${random.below(4)}`,
        await tarOf(member({ path: `f${random.below(1000)}` }, content)),
      )
    }
    case 2:
      await post(`/images/${image?.Id ?? 'none'}/tag?repo=tag${random.below(5)}`)
      return
    case 3:
      await api.call('DELETE', `/images/${image?.Id ?? 'none'}?force=1`, undefined, ...statuses)
      return
    case 4: {
      const saved = await api.daemon.call('GET', `/images/${image?.Id ?? 'none'}/get`)
      if (saved.status === 200) await post('/images/load', saved.bytes)
      return
    }
    case 5:
      await post(`/commit?container=${container?.Id ?? 'none'}&repo=commit${random.below(3)}`)
      return
    case 6: {
      const made = await api.daemon.call('POST', '/containers/create', {
        Image: 'busybox',
        Cmd: [
          'sh',
          '-c',
          `dd if=/dev/urandom of=/data bs=1k count=${random.below(200)} 2> /dev/null; echo x`,
        ],
        Volumes: random.below(2) === 0 ? { '/v': {} } : {},
      })
      if (made.status !== 201) return
      const { Id } = made.json<{ Id: string }>()
      await post(`/containers/${Id}/start`)
      await api.wait(Id)
      return
    }
    case 7:
      if (container !== undefined) await api.remove(container.Id)
      return
    default:
      await post('/images/prune')
  }
}

describe('GET /system/df', () => {
  it('adds up to what du says, whatever was done', async (t) => {
    const seed = Math.trunc(Math.random() * 2 ** 31)
    t.diagnostic(`seed ${seed}`)
    const random = randomOf(seed)
    for (let i = 0; i < 40; i++) {
      await anything(random)
      if (i % 10 === 9) await balanced()
    }
    const found = await balanced()
    assert.deepEqual(found.Unexplained, [])
    assert.equal(sizeOf(found, 'Staging').Size, 0)
  })

  it('names what the engine did not put there, and sorts what it did', async () => {
    const { dataRoot } = api.daemon.marks
    await api.import('busybox', await busyboxTar())
    const id = await api.run({
      Cmd: 'dd if=/dev/zero of=/data bs=1M count=2 2> /dev/null; yes | head -c 100000',
    })
    writeFileSync(join(dataRoot, 'notes.txt'), 'x'.repeat(10_000))
    const strange = join(dataRoot, 'layers/sha256', 'f'.repeat(64))
    mkdirSync(strange)
    writeFileSync(join(strange, 'layer.tar'), 'y')
    const found = await balanced()
    assert.deepEqual(found.Unexplained.map(({ Path }) => Path).toSorted(), [
      `layers/sha256/${'f'.repeat(64)}`,
      'notes.txt',
    ])
    assert.ok(sizeOf(found, 'Containers').Size >= 2 << 20)
    assert.ok(sizeOf(found, 'Containers').Reclaimable >= 2 << 20)
    assert.ok(sizeOf(found, 'Logs').Size >= 100_000)
    assert.ok(sizeOf(found, 'Database').Size > 0)
    run('rm', ['-r', strange, join(dataRoot, 'notes.txt')])
    await api.remove(id.id)
  })

  it('has nothing unexplained and no image left after everything was removed', async () => {
    await api.daemon.removeAll()
    await api.call('POST', '/volumes/prune?filters={"all":["1"]}')
    const before = await balanced()
    const { SpaceReclaimed } = (await api.call('POST', '/images/prune?filters={"dangling":["false"]}')).json<{
      SpaceReclaimed: number
    }>()
    const found = await balanced()
    assert.deepEqual(found.Unexplained, [])
    for (const name of ['Images', 'Containers', 'Container files', 'Logs', 'Volumes', 'Staging', 'Trash'])
      assert.equal(sizeOf(found, name).Size, 0, name)
    assert.equal(SpaceReclaimed, sizeOf(before, 'Images').Size)
    assert.equal(SpaceReclaimed, sizeOf(before, 'Images').Reclaimable)
  })
})

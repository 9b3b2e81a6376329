/** `system df` explains every byte: its categories add up to what du says, after anything that people do with images. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DiskAccount } from '#api/disk-account.ts'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import { run } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { type Random, randomOf } from '#test/support/random.ts'

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

const STATUSES = [200, 201, 204, 304, 404, 409]

interface Chosen {
  readonly random: Random
  /** Ids; `none` when there is no object to choose. */
  readonly image: string
  readonly container: string
}

/** What people do; anything may fail because of what was done before, but in a way that Docker has a status for. */
const deeds: readonly ((chosen: Chosen) => Promise<unknown>)[] = [
  async ({ random }) => {
    const content = random.text(random.below(200_000))
    const tar = await tarOf(member({ path: `f${random.below(1000)}` }, content))
    await api.import(`made${random.below(4)}`, tar)
  },
  ({ image, random }) => attempt('POST', `/images/${image}/tag?repo=tag${random.below(5)}`),
  ({ image }) => attempt('DELETE', `/images/${image}?force=1`),
  async ({ image }) => {
    const saved = await api.daemon.call('GET', `/images/${image}/get`)
    if (saved.status === 200) await attempt('POST', '/images/load', saved.bytes)
  },
  ({ container, random }) => attempt('POST', `/commit?container=${container}&repo=commit${random.below(3)}`),
  async ({ random }) => {
    const command = `dd if=/dev/urandom of=/data bs=1k count=${random.below(200)} 2> /dev/null; echo x`
    const Volumes = random.below(2) === 0 ? { '/v': {} } : {}
    const body = { Image: 'busybox', Cmd: ['sh', '-c', command], Volumes }
    const made = await api.daemon.call('POST', '/containers/create', body)
    if (made.status !== 201) return
    const { Id } = made.json<{ Id: string }>()
    await attempt('POST', `/containers/${Id}/start`)
    await api.wait(Id)
  },
  ({ container }) => attempt('DELETE', `/containers/${container}?force=1&v=1`),
  () => attempt('POST', '/images/prune'),
  async ({ random }) => {
    const from = random.below(2) === 0 ? 'scratch' : 'busybox'
    const run =
      from === 'busybox' ? `RUN --mount=type=cache,target=/c echo ${random.below(5)} | tee /c/x > /y\n` : ''
    const dockerfile = `FROM ${from}\n${run}COPY data /data\n`
    const data = member({ path: 'data' }, random.text(random.below(100_000)))
    const tar = await tarOf(member({ path: 'Dockerfile' }, dockerfile), data)
    // The image may be gone, and there is no registry to have it from.
    await api.call('POST', `/build?t=built${random.below(3)}`, tar, ...STATUSES, 503)
  },
  ({ random }) => attempt('POST', `/build/prune?all=${random.below(2)}`),
]

async function attempt(method: string, path: string, body?: unknown): Promise<void> {
  await api.call(method, path, body, ...STATUSES)
}

async function anything(random: Random): Promise<void> {
  const images = (await api.call('GET', '/images/json?all=1')).json<{ Id: string }[]>()
  const containers = (await api.call('GET', '/containers/json?all=1')).json<{ Id: string }[]>()
  const image = random.pick(images)?.Id ?? 'none'
  await random.pick(deeds)?.({ random, image, container: random.pick(containers)?.Id ?? 'none' })
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
    const cache = join(dataRoot, 'build/cache-mounts', 'e'.repeat(64), 'data')
    mkdirSync(cache, { recursive: true })
    writeFileSync(join(cache, 'kept'), 'z'.repeat(10_000))
    mkdirSync(join(dataRoot, 'build/odd'))
    const found = await balanced()
    assert.deepEqual(found.Unexplained.map(({ Path }) => Path).toSorted(), [
      'build/odd',
      `layers/sha256/${'f'.repeat(64)}`,
      'notes.txt',
    ])
    assert.ok(sizeOf(found, 'Containers').Size >= 2 << 20)
    assert.ok(sizeOf(found, 'Containers').Reclaimable >= 2 << 20)
    assert.ok(sizeOf(found, 'Logs').Size >= 100_000)
    assert.ok(sizeOf(found, 'Database').Size > 0)
    assert.ok(sizeOf(found, 'Build caches').Reclaimable >= 10_000)
    run('rm', ['-r', strange, join(dataRoot, 'notes.txt'), join(dataRoot, 'build')])
    await api.remove(id.id)
  })

  it('has nothing unexplained and no image left after everything was removed', async () => {
    await api.daemon.removeAll()
    await api.call('POST', '/build/prune?all=1')
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

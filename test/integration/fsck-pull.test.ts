/** A layer that a disk has damaged is fetched again, alone, from where it came; and kills in a pull leave no half image. */
import assert from 'node:assert/strict'
import { readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DiskAccount } from '#api/disk-account.ts'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import { TestDaemon } from '#test/support/daemon.ts'
import { noise, RegistryContents } from '#test/support/registry-images.ts'
import { ScriptedRegistry } from '#test/support/scripted-registry.ts'

const layers = [
  await busyboxTar(),
  await tarOf(member({ path: 'one' }, noise(3 << 20, 'one'))),
  await tarOf(member({ path: 'two' }, noise(2 << 20, 'two'))),
]

let daemon: TestDaemon
let registry: ScriptedRegistry
let name: string
let contents: RegistryContents

before(async () => {
  daemon = await TestDaemon.start()
  registry = await ScriptedRegistry.start(daemon)
  contents = new RegistryContents()
  contents.image({ layers, config: { Cmd: ['sh', '-c', 'cat /one /two | wc -c'] } }, '1')
  name = `${registry.host}/team/demo`
  await registry.holds(contents)
  await registry.does({})
})
after(async () => {
  await registry[Symbol.asyncDispose]()
  await daemon[Symbol.asyncDispose]()
})

async function pull(): Promise<void> {
  const { text } = await daemon.call('POST', `/images/create?fromImage=${encodeURIComponent(name)}&tag=1`)
  assert.ok(!text.includes('"error"'), text)
}

async function fsck(repair: boolean): Promise<string> {
  return (await daemon.call('POST', `/berth/fsck?repair=${Number(repair)}`)).text
}

function assertRuns(): void {
  const { stdout, stderr } = daemon.berth('run', '--rm', '--network', 'none', `${name}:1`)
  assert.equal(stdout, `${5 << 20}\n`, stderr)
}

describe('a damaged layer of an image from a registry', () => {
  before(async () => {
    await pull()
  })

  const place = (): string => join(daemon.marks.dataRoot, 'layers/sha256')
  const archiveOf = (layer: string): string => {
    const path = join(place(), layer)
    const file = readdirSync(path).find((entry) => entry.startsWith('layer.tar')) ?? ''
    return join(path, file)
  }
  const damages: Readonly<Record<string, (layer: string) => void>> = {
    missing: (layer) => rmSync(join(place(), layer), { recursive: true }),
    empty: (layer) => truncateSync(archiveOf(layer), 0),
    'cut off': (layer) => truncateSync(archiveOf(layer), 1 << 20),
    altered: (layer) => writeFileSync(archiveOf(layer), 'x', { flag: 'r+' }),
  }
  for (const [what, damage] of Object.entries(damages)) {
    it(`that is ${what} is fetched again, alone, by fsck`, async () => {
      const [layer = ''] = readdirSync(place())
      damage(layer)
      await registry.does({})
      const said = await fsck(true)
      assert.match(said, new RegExp(`done: fetch it again from ${name}`))
      const { requests } = await registry.statistics()
      assert.equal(requests.filter((request) => request.includes('/blobs/')).length, 1, requests.join())
      assert.ok(!(await fsck(false)).includes('"finding"'))
      assertRuns()
    })

    it(`that is ${what} is fetched again by a pull once it is known`, async () => {
      const [, layer = ''] = readdirSync(place())
      damage(layer)
      assert.match(await fsck(false), /"finding"/)
      await pull()
      assert.ok(!(await fsck(false)).includes('"finding"'))
      assertRuns()
    })
  }

  it('stays damaged, with the reason, when the registry has other bytes', async () => {
    const [layer = ''] = readdirSync(place())
    damages['empty']?.(layer)
    await registry.does({ flip: 10 })
    assert.match(await fsck(true), /the repair failed: /)
    await registry.does({})
    assert.match(await fsck(true), /done: fetch it again/)
  })
})

describe('a daemon killed in a pull', () => {
  it('shows no half image, and what it left in staging is not missed', async () => {
    await daemon.call('DELETE', `/images/${encodeURIComponent(`${name}:1`)}?force=1`)
    for (const milliseconds of [10, 40, 90, 160, 250]) {
      await registry.does({ slow: 4 })
      const pulling = await daemon.open('POST', `/images/create?fromImage=${encodeURIComponent(name)}&tag=1`)
      pulling.on('error', () => undefined).resume()
      // The moment is the input of the test, not something that is waited for.
      await new Promise((resolve) => setTimeout(resolve, milliseconds))
      const closed = pulling.closed ? undefined : new Promise((resolve) => pulling.once('close', resolve))
      await daemon.down('SIGKILL')
      await closed
      zero(join(daemon.marks.dataRoot, 'staging'))
      await daemon.up()
      const images = (await daemon.call('GET', '/images/json?all=1')).json<{ RepoTags: string[] }[]>()
      assert.ok(images.length <= 1)
      assert.ok(!(await fsck(false)).includes('"finding"'), await fsck(false))
      const { Berth } = (await daemon.call('GET', '/system/df')).json<{ Berth: DiskAccount }>()
      assert.deepEqual(Berth.Unexplained, [])
    }
    await registry.does({})
    await pull()
    assertRuns()
  })
})

/** What was not synced may be anything after a power cut. */
function zero(directory: string): void {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) truncateSync(join(entry.parentPath, entry.name), 0)
  }
}

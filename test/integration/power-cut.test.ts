/**
 * The power fails while images come and go. Whatever the disk has then: what was acknowledged is there, every image that
 * is visible is whole, and nothing is left over.
 */
import assert from 'node:assert/strict'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { DiskAccount } from '#api/disk-account.ts'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import { TestDaemon } from '#test/support/daemon.ts'
import { LossyDisk } from '#test/support/power-cut.ts'
import { type Random, randomOf } from '#test/support/random.ts'

const CUTS = 4

/** What was said about a name: the id it leads to, `gone`, or `unsure` while there is no answer. */
type Said = Map<string, string>

interface Listed {
  readonly Id: string
  readonly RepoTags: readonly string[]
}

async function idOf(daemon: TestDaemon, name: string): Promise<string> {
  return (await daemon.call('GET', `/images/${name}/json`)).json<{ Id: string }>().Id
}

/** Imports, commits, loads, tags and removes until the daemon does not answer any more. */
async function untilDead(daemon: TestDaemon, random: Random, said: Said, worker: number): Promise<void> {
  try {
    for (let step = 0; ; step++) {
      const name = `w${worker}n${random.below(4)}`
      const before = said.get(name)
      said.set(name, 'unsure')
      said.set(name, await deed(daemon, random, name, before))
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
  }
}

async function deed(
  daemon: TestDaemon,
  random: Random,
  name: string,
  before: string | undefined,
): Promise<string> {
  const was = before ?? 'gone'
  switch (random.below(5)) {
    case 0:
    case 1: {
      const files = Array.from({ length: 1 + random.below(5) }, (_, i) =>
        member({ path: `f${i}` }, random.text(random.below(100_000))),
      )
      const { text } = await daemon.call(
        'POST',
        `/images/create?fromSrc=-&repo=${name}`,
        await tarOf(...files),
      )
      assert.ok(!text.includes('"error"'), text)
      return idOf(daemon, name)
    }
    case 2: {
      const { status, text } = await daemon.call(
        'POST',
        `/commit?container=box&repo=${name}&comment=${random.below(1e9)}`,
      )
      assert.equal(status, 201, text)
      return (JSON.parse(text) as { Id: string }).Id
    }
    case 3: {
      if (was === 'gone') return was
      const { bytes } = await daemon.call('GET', `/images/${name}/get`)
      assert.equal((await daemon.call('DELETE', `/images/${name}`)).status, 200)
      const { text } = await daemon.call('POST', '/images/load', bytes)
      assert.ok(text.includes('Loaded image'), text)
      return was
    }
    default:
      if (was === 'gone') return was
      assert.equal((await daemon.call('DELETE', `/images/${name}`)).status, 200)
      return 'gone'
  }
}

/** A daemon on the disk that is left: everything is as it was said to be. */
async function assertWhole(disk: LossyDisk, said: Said): Promise<void> {
  await using daemon = await TestDaemon.start({ dataRoot: join(disk.path, 'data') })
  const images = (await daemon.call('GET', '/images/json?all=1')).json<Listed[]>()
  const found = new Map(images.flatMap(({ Id, RepoTags }) => RepoTags.map((tag) => [tag, Id] as const)))
  for (const [name, id] of said) {
    if (id === 'unsure') continue
    assert.equal(found.get(`${name}:latest`) ?? 'gone', id, name)
  }
  const fsck = await daemon.call('POST', '/berth/fsck')
  assert.ok(!fsck.text.includes('"finding"'), fsck.text)
  const { Berth } = (await daemon.call('GET', '/system/df')).json<{ Berth: DiskAccount }>()
  assert.deepEqual(Berth.Unexplained, [])
  const run = daemon.berth('run', '--rm', '--network', 'none', 'busybox', 'echo', 'fine')
  assert.equal(run.stdout, 'fine\n', run.stderr)
  for (const { Id } of images) {
    const saved = await daemon.call('GET', `/images/${Id}/get`)
    assert.equal(saved.status, 200)
  }
}

describe('a power cut', { skip: !existsSync('/sbin/mkfs.ext4') && 'there is no mkfs.ext4' }, () => {
  it('takes what was not synced, here as in life', () => {
    const place = mkdtempSync(join(tmpdir(), 'berth-cut-'))
    try {
      using disk = LossyDisk.make(join(place, 'disk'), 64 << 20)
      const synced = openSync(join(disk.path, 'synced'), 'w')
      writeSync(synced, 'here')
      fsyncSync(synced)
      closeSync(synced)
      writeFileSync(join(disk.path, 'not-synced'), 'gone')
      using after = disk.afterCut(join(place, 'cut'))
      assert.equal(readFileSync(join(after.path, 'synced'), 'utf8'), 'here')
      assert.equal(existsSync(join(after.path, 'not-synced')), false)
    } finally {
      rmSync(place, { recursive: true, force: true })
    }
  })

  it('loses no acknowledged image, shows no half one, and leaves nothing over', async (t) => {
    const seed = Math.trunc(Math.random() * 2 ** 31)
    t.diagnostic(`seed ${seed}`)
    const random = randomOf(seed)
    const place = mkdtempSync(join(tmpdir(), 'berth-cut-'))
    try {
      using disk = LossyDisk.make(join(place, 'disk'), 512 << 20)
      await using daemon = await TestDaemon.start({ dataRoot: join(disk.path, 'data') })
      const said: Said = new Map()
      await daemon.call('POST', '/images/create?fromSrc=-&repo=busybox', await busyboxTar())
      said.set('busybox', await idOf(daemon, 'busybox'))
      await daemon.call('POST', '/containers/create?name=box', { Image: 'busybox', Cmd: ['true'] })
      for (let cut = 0; cut < CUTS; cut++) {
        const working = [0, 1, 2].map((worker) =>
          untilDead(daemon, randomOf(seed + cut * 10 + worker), said, worker),
        )
        // The moment is the input of the test, not something that is waited for.
        await new Promise((resolve) => setTimeout(resolve, 30 + random.below(300)))
        await daemon.down('SIGKILL')
        await Promise.all(working)
        using after = disk.afterCut(join(place, `cut${cut}`))
        await assertWhole(after, said)
        await daemon.up()
        for (const [name, id] of said) if (id === 'unsure') said.delete(name)
        for (const name of ['w0', 'w1', 'w2'].flatMap((w) => [0, 1, 2, 3].map((n) => `${w}n${n}`))) {
          if (said.has(name)) continue
          const answer = await daemon.call('GET', `/images/${name}/json`)
          said.set(name, answer.status === 200 ? answer.json<{ Id: string }>().Id : 'gone')
        }
      }
    } finally {
      rmSync(place, { recursive: true, force: true })
    }
  })
})

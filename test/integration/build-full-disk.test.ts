/** Builds on a disk that becomes full: what is said, and what is left. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DiskAccount } from '#api/disk-account.ts'
import { runCli } from '#test/support/cli.ts'
import { EngineApi } from '#test/support/engine-api.ts'

const SIZE = 96 << 20

const held = new AsyncDisposableStack()
let directory = ''
let api: EngineApi

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-full-'))
  held.defer(() => rmSync(directory, { recursive: true }))
  const dataRoot = join(directory, 'data')
  mkdirSync(dataRoot)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'berth-test', dataRoot])
  held.defer(() => void execFileSync('umount', [dataRoot]))
  api = held.use(await EngineApi.start({ dataRoot }))
})
after(() => held.disposeAsync())

function context(dockerfile: string, files: Readonly<Record<string, Uint8Array | string>> = {}): string {
  const path = mkdtempSync(join(directory, 'context-'))
  for (const [name, content] of Object.entries({ Dockerfile: dockerfile, ...files })) {
    writeFileSync(join(path, name), content)
  }
  return path
}

async function build(path: string): Promise<{ readonly code: number; readonly stderr: string }> {
  return runCli(['build', '-t', 'x', path], { host: api.daemon.host, cwd: directory, now: Date.now() })
}

function free(): number {
  const { bavail, bsize } = statfsSync(join(directory, 'data'))
  return bavail * bsize
}

/** Nothing was committed, nothing lies about, and the space is free again. */
async function assertNothingLeft(before: number): Promise<void> {
  await api.refused(404, 'GET', '/images/x/json')
  const { Berth } = (await api.call('GET', '/system/df')).json<{ Berth: DiskAccount }>()
  assert.deepEqual(Berth.Unexplained, [])
  assert.deepEqual(readdirSync(join(directory, 'data/staging')), [])
  await api.until('the space to be free', async () => free() > before - (4 << 20))
  await api.daemon.assertNoLeaks()
}

describe('a build that fills the disk', () => {
  it('ends in the RUN that writes too much, and frees what it took', async () => {
    const before = free()
    const { code, stderr } = await build(
      context('FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=500\n'),
    )
    assert.equal(code, 1)
    assert.match(stderr, /No space left on device/)
    assert.match(stderr, /exit code: 1/)
    await assertNothingLeft(before)
  })

  it('says so when a COPY does not fit', async () => {
    const before = free()
    const { code, stderr } = await build(
      context('FROM busybox\nCOPY big /\n', { big: Buffer.alloc(SIZE, 1) }),
    )
    assert.equal(code, 1)
    assert.match(stderr, /no space left on device/i)
    assert.match(stderr, /COPY big/)
    await assertNothingLeft(before)
  })

  it('says so when the layer of a RUN does not fit beside what it has written', async () => {
    const before = free()
    const count = Math.floor(before / (1 << 20) / 1.6)
    const { code, stderr } = await build(
      context(`FROM busybox\nRUN dd if=/dev/urandom of=/big bs=1M count=${count}\n`),
    )
    assert.equal(code, 1)
    assert.match(stderr, /no space left on device/i)
    await assertNothingLeft(before)
  })

  it('is built when it fits', async () => {
    const { code, stderr } = await build(
      context('FROM busybox\nRUN dd if=/dev/zero of=/small bs=1M count=5\n'),
    )
    assert.equal(code, 0, stderr)
  })
})

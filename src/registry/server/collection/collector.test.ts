import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Digest, digestOf } from '#base/digest.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { type Catalogue, openCatalogue } from '../storage/catalogue.ts'
import { FileBlobs } from '../storage/file-blobs.ts'
import { MemoryBlobs } from '../storage/memory-blobs.ts'
import type { BlobStorage } from '../storage/storage.ts'
import { fakeManifest } from '../storage/fake-manifest.ts'
import { Collector, LAST_COLLECTION } from './collector.ts'
import { reportText } from './report.ts'
import { defaultCollection, readCollection } from './settings.ts'

const HOUR = 3_600_000
const REPOSITORY = 'team/app'

/** A registry that only stores. */
class Bench implements AsyncDisposable {
  readonly clock = new FakeClock()
  readonly catalogue: Catalogue = openCatalogue(':memory:', { logger: silentLogger })
  readonly blobs: BlobStorage
  readonly collector: Collector

  constructor(makeBlobs: (clock: FakeClock) => BlobStorage = (clock) => new MemoryBlobs({ clock })) {
    this.blobs = makeBlobs(this.clock)
    this.collector = new Collector(this)
  }

  get now(): number {
    return this.clock.now().getTime()
  }

  async blob(text: string, repository = REPOSITORY): Promise<Digest> {
    const bytes = Buffer.from(text)
    const digest = digestOf(bytes)
    await using upload = await this.blobs.upload(await this.blobs.begin())
    await upload.append(
      (async function* () {
        yield bytes
      })(),
      { limit: 1000 },
    )
    await upload.commit(digest)
    this.catalogue.repositories.pushed(repository, this.now)
    this.catalogue.links.put({ repository, blob: digest, size: bytes.length, touched: this.now })
    return digest
  }

  manifest(
    blobs: readonly Digest[],
    more: { tag?: string; subject?: Digest; children?: readonly Digest[] } = {},
  ): Digest {
    const digest: Digest = `sha256:${randomBytes(32).toString('hex')}`
    this.catalogue.manifests.put(
      fakeManifest({
        repository: REPOSITORY,
        digest,
        subject: more.subject,
        pushed: this.now,
        bytes: new Uint8Array(10),
        blobs,
        children: more.children ?? [],
      }),
    )
    if (more.tag !== undefined) this.catalogue.tags.put(REPOSITORY, more.tag, digest, this.now)
    return digest
  }

  collect(more: { dryRun?: boolean; deleteUntagged?: boolean; grace?: number } = {}) {
    return this.collector.collect({ ...defaultCollection, ...more })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.catalogue[Symbol.asyncDispose]()
  }
}

const text = (report: Awaited<ReturnType<Collector['collect']>>): string[] =>
  report.removals.map(({ kind, id }) => `${kind} ${id.slice(0, 14)}`).toSorted()

describe('Collector', () => {
  it('removes what no manifest needs, after the grace period and not before', async () => {
    await using t = new Bench()
    const used = await t.blob('used')
    const unused = await t.blob('unused')
    t.manifest([used], { tag: 'v1' })
    await t.clock.advance(HOUR)
    assert.deepEqual(text(await t.collect()), [])
    await t.clock.advance(1)
    const report = await t.collect()
    assert.deepEqual(
      report.removals.map(({ kind, id, reason }) => [kind, id, reason]),
      [
        ['link', unused, 'no manifest of the repository needs it'],
        ['blob', unused, 'no repository holds it'],
      ],
    )
    assert.equal(report.freed, 6)
    assert.equal(await t.blobs.stat(unused), undefined)
    assert.ok(await t.blobs.stat(used))
    assert.deepEqual((t.catalogue.settings.get(LAST_COLLECTION) as { freed: number }).freed, 6)
  })

  it('says the same in a dry run, and changes nothing', async () => {
    await using t = new Bench()
    const layer = await t.blob('layer')
    const manifest = t.manifest([layer])
    await t.clock.advance(HOUR + 1)
    const dry = await t.collect({ dryRun: true, deleteUntagged: true })
    assert.ok(t.catalogue.manifests.get(REPOSITORY, manifest))
    assert.ok(await t.blobs.stat(layer))
    const real = await t.collect({ deleteUntagged: true })
    assert.deepEqual(dry.removals, real.removals)
    assert.match(
      reportText(dry),
      /^would remove manifest team\/app@sha256:\w+ \(10 bytes\): no tag, index or subject/,
    )
    assert.match(reportText(real), /removed 1 manifest, 1 link, 1 blob; 15 bytes freed; 1 blobs looked at\n$/)
  })

  it('keeps untagged manifests unless told otherwise', async () => {
    await using t = new Bench()
    t.manifest([await t.blob('layer')])
    await t.clock.advance(HOUR + 1)
    assert.deepEqual(text(await t.collect()), [])
  })

  it('keeps children of indexes and referrers of what lives, at any depth; not those of what does not', async () => {
    await using t = new Bench()
    const child = t.manifest([await t.blob('child')])
    const index = t.manifest([], { tag: 'v1', children: [child] })
    const signature = t.manifest([await t.blob('signature')], { subject: child })
    const countersignature = t.manifest([], { subject: signature })
    const dead = t.manifest([])
    const orphan = t.manifest([await t.blob('orphan')], { subject: dead })
    await t.clock.advance(HOUR + 1)
    await t.collect({ deleteUntagged: true })
    const isThere = (digest: Digest): boolean => t.catalogue.manifests.get(REPOSITORY, digest) !== undefined
    assert.deepEqual([child, index, signature, countersignature].map(isThere), [true, true, true, true])
    assert.deepEqual([dead, orphan].map(isThere), [false, false])
  })

  it('keeps what somebody has asked for or pulled meanwhile', async () => {
    await using t = new Bench()
    const blob = await t.blob('asked for')
    const pulled = t.manifest([])
    await t.clock.advance(HOUR + 1)
    await t.blobs.touch(blob)
    t.catalogue.links.touch(REPOSITORY, blob, t.now)
    t.catalogue.manifests.pulled(REPOSITORY, pulled, t.now)
    assert.deepEqual(text(await t.collect({ deleteUntagged: true })), [])
  })

  it('keeps a blob that another repository needs, and old blobs of a push that still runs', async () => {
    await using t = new Bench()
    const shared = await t.blob('shared')
    await t.blob('shared', 'other')
    t.manifest([shared], { tag: 'v1' })
    await t.blob('early layer', 'pushing')
    await t.clock.advance(HOUR + 1)
    t.catalogue.uploads.put({
      id: await t.blobs.begin(),
      repository: 'pushing',
      account: 'ann',
      begun: t.now,
    })
    assert.deepEqual(text(await t.collect()), [`link ${shared.slice(0, 14)}`])
    assert.ok(await t.blobs.stat(shared))
  })

  it('purges uploads that were given up, but none that somebody writes to', async () => {
    await using t = new Bench()
    const ids = [await t.blobs.begin(), await t.blobs.begin()] as const
    for (const id of ids) t.catalogue.uploads.put({ id, repository: 'x', account: 'ann', begun: t.now })
    await t.clock.advance(168 * HOUR + 1)
    {
      await using _held = await t.blobs.upload(ids[1])
      assert.deepEqual(
        (await t.collect()).removals.map(({ kind, id, repository }) => [kind, id, repository]),
        [['upload', ids[0], 'x']],
      )
    }
    assert.deepEqual(
      t.catalogue.uploads.all().map(({ id }) => id),
      [ids[1]],
    )
  })

  it('leaves a file that was written again between its row and its removal', async () => {
    const root = await mkdtemp(join(tmpdir(), 'berth-gc-'))
    try {
      await using t = new Bench((clock) => new FileBlobs({ root, clock }))
      await t.blobs.recover()
      const digest = await t.blob('again')
      await t.clock.advance(HOUR + 1)
      const cutoff = t.now - HOUR
      await t.blob('again')
      assert.equal(await t.blobs.remove(digest, cutoff), false)
      assert.ok(await t.blobs.stat(digest))
      assert.deepEqual(text(await t.collect()), [])
    } finally {
      await rm(root, { recursive: true, force: true })
    }
  })
})

describe('readCollection()', () => {
  it('has defaults', () => {
    assert.deepEqual(readCollection({ grace: '2h', deleteUntagged: true }), {
      ...defaultCollection,
      grace: 2 * HOUR,
      deleteUntagged: true,
    })
    assert.throws(() => readCollection({ grace: 'soon' }), /collection\.grace: want a duration/)
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Digest, digestOf } from '#base/digest.ts'
import { isKind, type ErrorKind } from '#base/errors.ts'
import {
  archive,
  directory,
  file,
  hardlink,
  stream,
  symlink,
  whiteout,
} from '#test/fixtures/archives/archive.ts'
import type { Snapshots } from './snapshots.ts'

export interface SnapshotsUnderTest extends AsyncDisposable {
  readonly snapshots: Snapshots
  /** Changes one byte of the layer's archive behind its back. */
  corrupt(diffId: Digest): Promise<void>
  /** Names in staging and trash once background work is done. */
  leftovers(): Promise<readonly string[]>
}

/** What every Snapshots promises. */
export function snapshotsSuite(name: string, make: () => Promise<SnapshotsUnderTest>): void {
  const base = archive(directory('etc'), file('etc/hostname', 'box\n'), symlink('bin', 'usr/bin'))
  const top = archive(
    file('etc/hosts', '127.0.0.1\n'),
    hardlink('etc/copy', 'etc/hosts'),
    whiteout('etc/hostname'),
  )
  const missing: Digest = `sha256:${'0'.repeat(64)}`
  const bytesOf = async (source: AsyncIterable<Uint8Array>): Promise<Buffer> =>
    Buffer.concat(await Array.fromAsync(source))
  const layersOf = async (snapshots: Snapshots): Promise<readonly Digest[]> =>
    (await Array.fromAsync(snapshots.layers())).map(({ diffId }) => diffId).sort()
  const rejects = (promise: Promise<unknown>, kind: ErrorKind, pattern = /./): Promise<void> =>
    assert.rejects(promise, (error) => {
      assert.ok(isKind(error, kind), String(error))
      assert.match((error as Error).message, pattern)
      return true
    })

  describe(name, () => {
    it('ingest() gives the digest of the bytes, and tar() gives the bytes', async () => {
      await using under = await make()
      const { snapshots } = under
      const layer = await snapshots.ingest(stream(base, 100))

      assert.equal(layer.diffId, digestOf(base))
      assert.equal(layer.size, base.length)
      assert.deepEqual(await snapshots.layer(layer.diffId), layer)
      assert.ok((await bytesOf(snapshots.tar(layer.diffId))).equals(base))
      assert.deepEqual(await layersOf(snapshots), [layer.diffId])
      assert.deepEqual(await under.leftovers(), [])
    })

    it('ingest() of a layer that is there gives that one, whether it was expected or not', async () => {
      await using under = await make()
      const { snapshots } = under
      const first = await snapshots.ingest(stream(base))

      assert.deepEqual(await snapshots.ingest(stream(base)), first)
      assert.deepEqual(await snapshots.ingest(stream(base), { expected: first.diffId }), first)
      await rejects(snapshots.ingest(stream(top), { expected: first.diffId }), 'invalid_argument')
      assert.deepEqual(await layersOf(snapshots), [first.diffId])
      assert.deepEqual(await under.leftovers(), [])
    })

    it('ingest() of one layer several times at once stores it once', async () => {
      await using under = await make()
      const { snapshots } = under
      const layers = await Promise.all([1, 50, 1000].map((size) => snapshots.ingest(stream(base, size))))

      assert.equal(new Set(layers.map(({ diffId }) => diffId)).size, 1)
      assert.equal((await layersOf(snapshots)).length, 1)
      assert.deepEqual(await under.leftovers(), [])
    })

    it('ingest() refuses bytes with another digest than expected and keeps nothing', async () => {
      await using under = await make()
      await rejects(
        under.snapshots.ingest(stream(base), { expected: missing }),
        'invalid_argument',
        /instead of sha256:000/,
      )
      assert.deepEqual(await layersOf(under.snapshots), [])
      assert.deepEqual(await under.leftovers(), [])
    })

    it('ingest() refuses a broken archive and keeps nothing', async () => {
      await using under = await make()
      const broken = Buffer.from(base)
      broken[3]! ^= 1
      for (const bytes of [base.subarray(0, 700), broken, archive(file('../../etc/passwd', 'x'))]) {
        await rejects(under.snapshots.ingest(stream(bytes)), 'invalid_argument', /invalid tar archive/)
      }
      assert.deepEqual(await layersOf(under.snapshots), [])
      assert.deepEqual(await under.leftovers(), [])
    })

    it('ingest() hands on the error of its source and keeps nothing', async () => {
      await using under = await make()
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield base.subarray(0, 600)
        throw new RangeError('connection lost')
      }
      await assert.rejects(under.snapshots.ingest(failing()), /connection lost/)
      assert.deepEqual(await under.leftovers(), [])
    })

    it('ingest() ends when aborted, even though its source is silent, and keeps nothing', async () => {
      await using under = await make()
      const controller = new AbortController()
      async function* silent(): AsyncGenerator<Uint8Array> {
        yield base.subarray(0, 600)
        controller.abort(new RangeError('given up'))
        await new Promise(() => undefined)
      }
      await assert.rejects(under.snapshots.ingest(silent(), { signal: controller.signal }), /given up/)
      assert.deepEqual(await under.leftovers(), [])
    })

    it('layer() gives undefined, and all else not_found, for a layer that is not there', async () => {
      await using under = await make()
      const { snapshots } = under
      assert.equal(await snapshots.layer(missing), undefined)
      await snapshots.prepare('box', [])
      await rejects(bytesOf(snapshots.tar(missing)), 'not_found')
      await rejects(snapshots.prepare('other', [missing]), 'not_found')
      await rejects(snapshots.root('box', [missing]), 'not_found')
      await rejects(snapshots.view([missing]), 'not_found')
    })

    it('removeLayer() is idempotent, and the layer can come back', async () => {
      await using under = await make()
      const { snapshots } = under
      const { diffId } = await snapshots.ingest(stream(base))

      await snapshots.removeLayer(diffId)
      await snapshots.removeLayer(diffId)

      assert.equal(await snapshots.layer(diffId), undefined)
      assert.deepEqual(await under.leftovers(), [])
      assert.equal((await snapshots.ingest(stream(base))).diffId, diffId)
    })

    it('tar() fails with data_loss, naming the layer, when the bytes have changed', async () => {
      await using under = await make()
      const { diffId } = await under.snapshots.ingest(stream(base))
      await under.corrupt(diffId)
      await rejects(bytesOf(under.snapshots.tar(diffId)), 'data_loss', new RegExp(diffId))
    })

    it('prepare() makes a snapshot once, and root() gives its layers topmost first', async () => {
      await using under = await make()
      const { snapshots } = under
      const [one, two] = [await snapshots.ingest(stream(base)), await snapshots.ingest(stream(top))]
      const layers = [one.diffId, two.diffId]

      await snapshots.prepare('box', layers, ['mark'])
      await rejects(snapshots.prepare('box', layers), 'conflict')

      const root = await snapshots.root('box', layers)
      assert.equal(root.lower.length, 2)
      assert.deepEqual((await snapshots.root('box', layers.toReversed())).lower, root.lower.toReversed())
      assert.notEqual(root.upper, root.work)
      assert.deepEqual(await snapshots.snapshots(), ['box'])
      assert.equal(await snapshots.usage('box'), 0)
    })

    it('root() of a snapshot without layers gives something to mount', async () => {
      await using under = await make()
      await under.snapshots.prepare('scratch', [])
      assert.equal((await under.snapshots.root('scratch', [])).lower.length, 1)
      await using view = await under.snapshots.view([])
      assert.ok(view.path.startsWith('/'))
    })

    it('remove() is idempotent, and the id can be used again', async () => {
      await using under = await make()
      const { snapshots } = under
      await snapshots.prepare('box', [])
      await snapshots.remove('box')
      await snapshots.remove('box')

      assert.deepEqual(await snapshots.snapshots(), [])
      await rejects(snapshots.root('box', []), 'not_found')
      await rejects(snapshots.usage('box'), 'not_found')
      assert.deepEqual(await under.leftovers(), [])
      await snapshots.prepare('box', [])
    })
  })
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ImageManifestSummary, ImageSummary } from '#api/generated/types.ts'
import { paintFor } from './colors.ts'
import { imageTree } from './image-tree.ts'
import { FakeCaller } from '#test/support/cli.ts'

const plain = { trunc: true, paint: (_: unknown, text: string): string => text }

function manifest(architecture: string): ImageManifestSummary {
  const ImageData = { Platform: { os: 'linux', architecture } }
  return { ID: `sha256:${'e'.repeat(64)}`, Kind: 'image', Size: { Content: 10, Total: 30 }, ImageData }
}

function image(id: string, names: string[], parent?: string, platforms = ['amd64']): ImageSummary {
  return {
    Id: id,
    RepoTags: names,
    Size: 1000,
    Manifests: platforms.map(manifest),
    ...(parent === undefined ? {} : { ParentId: parent }),
  }
}

const labels = (images: readonly ImageSummary[]): string[] =>
  imageTree(images, plain)
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {3,}(?=[0-9a-z]+ {3})/)[0]?.trimEnd() ?? '')

describe('imageTree()', () => {
  it('shows chains of commits as branches, with every name', () => {
    const images = [
      image('c3', ['app:3'], 'c2'),
      image('c2', [], 'c1'),
      image('c1', ['app:1', 'app:first'], 'base'),
      image('other', ['side:1'], 'base'),
      image('base', ['base:1'], '', ['amd64', 'arm64']),
    ]
    assert.deepEqual(labels(images), [
      'base:1',
      '├─ linux/amd64',
      '├─ linux/arm64',
      '├─ app:1',
      '│  app:first',
      '│  ├─ linux/amd64',
      '│  └─ <untagged>',
      '│     ├─ linux/amd64',
      '│     └─ app:3',
      '│        └─ linux/amd64',
      '└─ side:1',
      '   └─ linux/amd64',
    ])
  })

  it('shows an image whose parent is not listed by itself, and survives a circle', () => {
    assert.deepEqual(labels([image('a', ['a:1'], 'gone', [])]), ['a:1'])
    assert.deepEqual(labels([image('a', ['a:1'], 'b', []), image('b', ['b:1'], 'a', [])]), ['a:1', '└─ b:1'])
    assert.deepEqual(labels([image('a', ['a:1'], 'a', [])]), ['a:1'])
    assert.deepEqual(labels([]), [])
  })

  it('shows the layers of a platform that have a size, the lowest first', () => {
    const made = image('app', ['app:1'], undefined, ['amd64', 'arm64'])
    const [amd64] = made.Manifests ?? []
    const histories = new Map([
      [
        amd64!,
        [
          { CreatedBy: 'CMD ["app"]', Size: 0 },
          { CreatedBy: `RUN make\t${'x'.repeat(60)}`, Size: 41_400_000 },
          { CreatedBy: '', Comment: 'Imported from -', Size: 127_000_000 },
        ],
      ],
    ]) as never
    const lines = (trunc: boolean): string[] =>
      imageTree([made], { ...plain, trunc, histories })
        .split('\n')
        .slice(2, -1)
        .map((line) => line.replaceAll(/ {2,}/g, ' '))
    assert.deepEqual(lines(true).slice(1), [
      '│ ├─ Imported from - 127MB',
      `│ └─ RUN make ${'x'.repeat(35)}… 41.4MB`,
      '└─ linux/arm64 eeeeeeeeeeee 30B 10B',
    ])
    assert.ok(lines(false)[2]?.includes(`${'x'.repeat(60)} 41.4MB`), lines(false).join('\n'))
  })

  it('is coloured on a terminal only, and not with NO_COLOR or on a dumb one', () => {
    const colours = (tty: boolean, env: Record<string, string> = {}): boolean =>
      imageTree([image('a', ['a:1'])], {
        trunc: true,
        paint: paintFor(new FakeCaller({ tty, env })),
      }).includes('\u001b[')
    assert.deepEqual(
      [colours(true), colours(false), colours(true, { NO_COLOR: '1' }), colours(true, { TERM: 'dumb' })],
      [true, false, false, false],
    )
    assert.equal(colours(true, { NO_COLOR: '' }), true)
  })
})

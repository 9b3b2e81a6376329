import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { TarEntry } from './entry.ts'
import { readTar } from './read-tar.ts'
import { squashLayers } from './squash.ts'
import { opaqueName, parseWhiteout, whiteoutName } from './whiteouts.ts'
import { type TarSource, writeTar } from './write-tar.ts'

const common = { uid: 0, gid: 0, mtime: { seconds: 1, nanoseconds: 0 }, size: 0 }

function directory(path: string, mode = 0o755): TarSource {
  return { entry: { ...common, type: 'directory', path, mode }, data: [] }
}

function file(path: string, text: string): TarSource {
  const bytes = Buffer.from(text)
  return { entry: { ...common, type: 'file', path, mode: 0o644, size: bytes.length }, data: [bytes] }
}

function hardlink(path: string, link: string): TarSource {
  return { entry: { ...common, type: 'hardlink', path, link, mode: 0o644 }, data: [] }
}

const hidden = (path: string): TarSource => file(whiteoutName(path), '')
const opaque = (path: string): TarSource => file(opaqueName(path), '')

async function squashed(layers: readonly (readonly TarSource[])[]): Promise<readonly TarSource[]> {
  const sources: TarSource[] = []
  for await (const { entry, data } of squashLayers(layers.map((layer) => () => writeTar(layer)))) {
    sources.push({ entry, data: [Buffer.concat(await Array.fromAsync(data))] })
  }
  // It has to be an archive that can be written and read.
  for await (const _ of readTar(writeTar(sources)));
  return sources
}

type Files = ReadonlyMap<string, string>

/** What the layers amount to: paths with what they are. Hard links are files with the same content. */
async function applied(layers: readonly (readonly TarSource[])[]): Promise<Files> {
  const files = new Map<string, string>()
  const removeBelow = (path: string, itself: boolean): void => {
    for (const key of files.keys()) {
      if (key.startsWith(path === '' ? '' : `${path}/`) || (itself && key === path)) files.delete(key)
    }
  }
  for (const layer of layers) {
    for (const { entry } of layer) {
      const parent = entry.path.split('/').slice(0, -1).join('/')
      const whiteout = parseWhiteout(entry.path.split('/').at(-1) ?? '')
      if (whiteout.kind === 'opaque') removeBelow(parent, false)
      if (whiteout.kind === 'whiteout')
        removeBelow(parent === '' ? whiteout.name : `${parent}/${whiteout.name}`, true)
    }
    for (const { entry, data } of layer) {
      if (parseWhiteout(entry.path.split('/').at(-1) ?? '').kind !== 'none') continue
      if (entry.type !== 'directory' || !files.get(entry.path)?.startsWith('directory'))
        removeBelow(entry.path, true)
      const chunks: Uint8Array[] = []
      for await (const chunk of data) chunks.push(chunk)
      const content =
        entry.type === 'hardlink' ? files.get(entry.link ?? '') : Buffer.concat(chunks).toString()
      files.set(
        entry.path,
        entry.type === 'directory'
          ? `directory ${entry.mode}`
          : `file ${(content ?? '').replace(/^file /, '')}`,
      )
    }
  }
  return files
}

describe('squashLayers()', () => {
  it('keeps the last of each file, in a stable order', async () => {
    const layers = [
      [directory('b'), file('b/one', '1'), file('a', 'old')],
      [file('a', 'new'), directory('b', 0o700), file('b/two', '2')],
    ]
    const all = await squashed(layers)
    assert.deepEqual(
      all.map(({ entry }) => [entry.path, entry.mode]),
      [
        ['b', 0o700],
        ['b/one', 0o644],
        ['a', 0o644],
        ['b/two', 0o644],
      ],
    )
    assert.deepEqual(all, await squashed(layers))
  })

  it('tells what is hidden of the layers below, and nothing of what was hidden among themselves', async () => {
    const all = await squashed([
      [directory('d'), file('d/mine', 'x'), hidden('below')],
      [hidden('d/mine'), hidden('d/theirs')],
    ])
    assert.deepEqual(
      all.map(({ entry }) => entry.path),
      ['.wh.below', 'd', 'd/.wh.mine', 'd/.wh.theirs'],
    )
  })

  it('keeps hard links together when one of their names is replaced', async () => {
    const all = await squashed([
      [file('a', 'same'), hardlink('b', 'a'), hardlink('c', 'a')],
      [file('a', 'other')],
    ])
    const entries = all.map(({ entry }): Partial<TarEntry> => ({
      type: entry.type,
      path: entry.path,
      ...(entry.link === undefined ? {} : { link: entry.link }),
    }))
    assert.deepEqual(entries, [
      { type: 'file', path: 'b' },
      { type: 'file', path: 'a' },
      { type: 'hardlink', path: 'c', link: 'b' },
    ])
  })

  it('does the same as the layers, on any base', async () => {
    const name = fc.constantFrom('a', 'b', 'c')
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
    const member = fc.oneof(
      fc.tuple(fc.constant('file' as const), path, fc.constantFrom('x', 'yy', '')),
      fc.tuple(fc.constant('hide' as const), path, fc.constant('')),
      fc.tuple(fc.constant('opaque' as const), path, fc.constant('')),
      fc.tuple(fc.constant('directory' as const), path, fc.constant('')),
    )
    const layer = fc.array(member, { maxLength: 6 }).map(wellFormed)
    await fc.assert(
      fc.asyncProperty(layer, fc.array(layer, { minLength: 1, maxLength: 4 }), async (base, layers) => {
        const plainBase = base.filter(
          ({ entry }) => parseWhiteout(entry.path.split('/').at(-1) ?? '').kind === 'none',
        )
        const once = await applied([plainBase, await squashed(layers)])
        assert.deepEqual(once, await applied([plainBase, ...layers]))
      }),
      { numRuns: 300 },
    )
  })
})

/** A layer as builds make them: each name once, with its parents before it. */
function wellFormed(
  members: readonly (readonly ['file' | 'hide' | 'opaque' | 'directory', string, string])[],
): readonly TarSource[] {
  const made = new Map<string, TarSource>()
  const markers: TarSource[] = []
  const marked = (path: string): boolean => markers.some(({ entry }) => entry.path === path)
  const clashes = (kind: string, path: string, parents: readonly string[]): boolean => {
    if (parents.some((parent) => made.get(parent)?.entry.type === 'file')) return true
    if (parents.some((parent) => marked(whiteoutName(parent))) || marked(whiteoutName(path))) return true
    if (kind === 'file' || kind === 'hide') return !isFree(path)
    return made.get(path)?.entry.type === 'file'
  }
  const isFree = (path: string): boolean =>
    !made.has(path) && ![...made.keys()].some((key) => key.startsWith(`${path}/`))
  for (const [kind, path, text] of members) {
    const parents = path
      .split('/')
      .map((_, i, parts) => parts.slice(0, i).join('/'))
      .slice(1)
    if (clashes(kind, path, parents)) continue
    for (const parent of parents) if (!made.has(parent)) made.set(parent, directory(parent))
    if (kind === 'file') made.set(path, file(path, text))
    else if (kind === 'hide') markers.push(hidden(path))
    else if (!made.has(path)) made.set(path, directory(path))
    if (kind === 'opaque' && !markers.some(({ entry }) => entry.path === opaqueName(path)))
      markers.push(opaque(path))
  }
  return [...made.values(), ...markers]
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { IgnoreMatcher, parseIgnore } from '../dockerfile/ignore.ts'
import type { FileSource } from './file-source.ts'
import { withoutIgnored } from './ignored-source.ts'
import { contentOf, type Sketch, sketchOf, sourceSuite, tarOf } from './sources.suite.ts'
import { testSpool } from './spool.fixture.ts'
import { openStreamedContext } from './tar-context.ts'

/** The files as a context, without what the lines of an ignore file name. */
async function seen(
  files: readonly Sketch[],
  lines: readonly string[],
): Promise<FileSource & { readonly entered: string[] }> {
  const at = await testSpool()
  const context = await openStreamedContext(tarOf(files), { name: 'build context', spool: at.spool })
  assert.ok(context.type === 'files')
  const { source } = context
  const entered: string[] = []
  const watched: FileSource = {
    name: source.name,
    walk: (path, options) =>
      source.walk(path, {
        ...options,
        descend: (directory) => {
          const enters = options?.descend?.(directory) !== false
          if (enters) entered.push(directory)
          return enters
        },
      }),
    find: (path) => source.find(path),
    root: () => source.root(),
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]()
      await at[Symbol.asyncDispose]()
    },
  }
  const matcher = new IgnoreMatcher(parseIgnore(lines.join('\n')))
  return Object.assign(withoutIgnored(watched, { matcher, file: '.dockerignore' }, at.spool), { entered })
}

sourceSuite({ name: 'withoutIgnored(), nothing ignored', open: (files) => seen(files, ['nothing-of-this']) })
sourceSuite({
  name: 'withoutIgnored(), much ignored',
  open: (files) =>
    seen(
      [
        ...files,
        { path: 'ignored-file', content: 'x' },
        { path: 'zz' },
        { path: 'zz/ignored', content: 'x' },
        { path: 'd-ignored', content: 'x' },
      ],
      ['*ignored*', 'zz'],
    ),
})

describe('withoutIgnored()', () => {
  const files: readonly Sketch[] = [
    { path: '.git' },
    { path: '.git/config', content: 'secret' },
    { path: 'a', content: '1' },
    { path: 'm' },
    { path: 'm/keep' },
    { path: 'm/keep/k', content: '2' },
    { path: 'm/other' },
    { path: 'm/other/o', content: '3' },
    { path: 'to-git', type: 'symlink', link: '.git/config' },
    { path: 'x.log', content: '4' },
  ]

  it('leaves out what the patterns name, and does not read such directories', async () => {
    await using source = await seen(files, ['.git', '*.log', 'm'])

    assert.deepEqual(await sketchOf(source), ['a=1', 'to-git -> .git/config'])
    assert.deepEqual(source.entered, [''])
    assert.equal(await source.find('.git/config'), undefined)
    assert.equal(await source.find('to-git'), undefined)
    assert.deepEqual(await sketchOf(source, '.git'), [])
    assert.deepEqual(await sketchOf(source, '.git/config'), [])
  })

  it('shows directories on the way to what an exception takes back, and enters no others', async () => {
    await using source = await seen(files, ['.git', '*.log', 'm', '!m/keep'])

    assert.deepEqual(await sketchOf(source), ['a=1', 'm', 'm/keep', 'm/keep/k=2', 'to-git -> .git/config'])
    assert.ok(!source.entered.includes('.git'))
    assert.equal((await source.find('m'))?.attributes.type, 'directory')
    assert.equal(await contentOf(await source.find('m/keep/k')), '2')
    assert.equal(await source.find('m/other'), undefined)
  })

  it('does not show an ignored directory in which an exception finds nothing', async () => {
    await using source = await seen(files, ['*', '!m/nothing', '!a'])

    assert.deepEqual(await sketchOf(source), ['a=1'])
    assert.equal(await source.find('m'), undefined)
  })

  it('gives a file under its second name when the first one is ignored', async () => {
    await using source = await seen(
      [
        { path: 'a', content: 'shared', mode: 0o755 },
        { path: 'b', type: 'hardlink', link: 'a' },
        { path: 'c', type: 'hardlink', link: 'a' },
      ],
      ['a'],
    )

    assert.deepEqual(await sketchOf(source), ['b=shared', 'c -> b'])
    const [, b] = await Array.fromAsync(source.walk(''))
    assert.equal(b?.attributes.mode, 0o755)
  })

  it('tells which file it was that leaves something out', async () => {
    await using source = await seen(files, ['.git'])

    assert.equal(source.ignoredBy?.('.git/config'), '.dockerignore')
    assert.equal(source.ignoredBy?.('a'), undefined)
  })
})

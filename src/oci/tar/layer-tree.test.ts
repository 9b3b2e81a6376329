import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError, isKind } from '#base/errors.ts'
import {
  archive,
  device,
  directory,
  file,
  hardlink,
  opaque,
  pax,
  symlink,
  whiteout,
  type Piece,
} from '#test/fixtures/archives/archive.ts'
import { LayerTree, type LayerNode } from './layer-tree.ts'
import { TarParser } from './parser.ts'

function treeOf(...pieces: readonly Piece[]): LayerTree {
  const tree = new LayerTree()
  const parser = new TarParser(tree)
  parser.push(archive(...pieces))
  parser.end()
  return tree
}

/** One line per name: kind, path, and what matters about it. */
function listing(tree: LayerTree): readonly string[] {
  const lines: string[] = []
  const visit = (node: LayerNode, path: string): void => {
    const marks = [
      node.opaque ? ' opaque' : '',
      node.kind === 'file' ? ` ${node.size}` : '',
      node.kind === 'symlink' || node.kind === 'lower-link' ? ` ${node.target}` : '',
      node.kind === 'directory' && node.mode !== 0o755 ? ` ${node.mode.toString(8)}` : '',
    ]
    if (path !== '' || node.opaque) lines.push(`${node.kind} /${path}${marks.join('')}`)
    for (const [name, child] of node.children ?? []) visit(child, path === '' ? name : `${path}/${name}`)
  }
  visit(tree.root, '')
  return lines.sort()
}

function refused(pieces: readonly Piece[], pattern: RegExp): void {
  assert.throws(
    () => treeOf(...pieces),
    (error) =>
      error instanceof EngineError && isKind(error, 'invalid_argument') && pattern.test(error.message),
  )
}

describe('LayerTree', () => {
  it('makes missing parents, 0755 and owned by root', () => {
    const tree = treeOf(file('a/b/c', 'x'))
    assert.deepEqual(listing(tree), ['directory /a', 'directory /a/b', 'file /a/b/c 1'])
    const { mode, uid, gid, seconds } = tree.root.children!.get('a')!
    assert.deepEqual([mode, uid, gid, seconds], [0o755, 0, 0, 0])
  })

  it('lets a later member replace an earlier one with all that was below it', () => {
    const tree = treeOf(
      file('a/b', 'x'),
      file('a', 'yy'),
      file('l', 'z'),
      directory('l'),
      file('l/in', 'zzz'),
    )
    assert.deepEqual(listing(tree), ['directory /l', 'file /a 2', 'file /l/in 3'])
  })

  it('lets a directory over a directory take its metadata and keep its content', () => {
    const tree = treeOf(directory('d'), file('d/f', 'x'), directory('d', { mode: 0o1777 }))
    assert.deepEqual(listing(tree), ['directory /d 1777', 'file /d/f 1'])
  })

  it('shares one node between hard links, of symlinks too', () => {
    const tree = treeOf(file('a', 'x'), hardlink('b', '/a'), symlink('s', 'a'), hardlink('t', 's'))
    const { children } = tree.root
    assert.equal(children!.get('a'), children!.get('b'))
    assert.equal(children!.get('s'), children!.get('t'))
    assert.equal(children!.get('t')!.kind, 'symlink')
  })

  it('keeps the other name of a hard link when one is replaced', () => {
    const tree = treeOf(file('a', 'x'), hardlink('b', 'a'), file('a', 'new'))
    assert.deepEqual(listing(tree), ['file /a 3', 'file /b 1'])
  })

  it('remembers hard links to files that only a lower layer has', () => {
    const tree = treeOf(hardlink('a/link', 'usr/bin/tool'))
    assert.equal(tree.lowerLinks, 1)
    assert.deepEqual(listing(tree), ['directory /a', 'lower-link /a/link usr/bin/tool'])
  })

  it('hides only lower layers by a whiteout, whichever comes first', () => {
    assert.deepEqual(listing(treeOf(whiteout('gone'))), ['whiteout /gone'])
    assert.deepEqual(listing(treeOf(whiteout('f'), file('f', 'x'))), ['file /f 1'])
    assert.deepEqual(listing(treeOf(file('f', 'x'), whiteout('f'))), ['file /f 1'])
    assert.deepEqual(listing(treeOf(whiteout('d'), directory('d'))), ['directory /d opaque'])
    assert.deepEqual(listing(treeOf(directory('d'), file('d/f'), whiteout('d'))), [
      'directory /d opaque',
      'file /d/f 0',
    ])
    assert.deepEqual(listing(treeOf(whiteout('d'), file('d/f'))), ['directory /d opaque', 'file /d/f 0'])
  })

  it('marks opaque directories, the root too', () => {
    assert.deepEqual(listing(treeOf(opaque('d'), file('d/f'))), ['directory /d opaque', 'file /d/f 0'])
    assert.deepEqual(listing(treeOf(opaque(''))), ['directory / opaque'])
  })

  it('takes the device that overlayfs takes for a whiteout for one', () => {
    assert.deepEqual(listing(treeOf(device('w', 'c', 0, 0), device('n', 'c', 1, 3))), [
      'char /n',
      'whiteout /w',
    ])
  })

  it('skips the names that AUFS kept in a layer', () => {
    assert.deepEqual(listing(treeOf(directory('.wh..wh.plnk'), file('.wh..wh.aufs'))), [])
  })

  it('follows symlinks among the parents inside the layer', () => {
    const tree = treeOf(directory('usr/lib'), symlink('lib', 'usr/lib'), file('lib/x', 'x'), file('lib/y/z'))
    assert.deepEqual(listing(tree), [
      'directory /usr',
      'directory /usr/lib',
      'directory /usr/lib/y',
      'file /usr/lib/x 1',
      'file /usr/lib/y/z 0',
      'symlink /lib usr/lib',
    ])
  })

  it('CVE-2014-9356: keeps what a symlink to / and names below it describe inside the layer', () => {
    for (const target of ['/', '/../..', '../../..']) {
      const tree = treeOf(symlink('a', target), file('a/etc/x', 'x'))
      assert.deepEqual(listing(tree), ['directory /etc', 'file /etc/x 1', `symlink /a ${target}`])
    }
  })

  it('CVE-2026-17106: follows chains of symlinks, and looks again when one was replaced', () => {
    const tree = treeOf(
      symlink('a', 'b/..'),
      symlink('b', '/c/d'),
      file('a/one'),
      directory('real'),
      symlink('a', 'real'),
      file('a/two'),
    )
    assert.deepEqual(listing(tree), [
      'directory /c',
      'directory /c/d',
      'directory /real',
      'file /c/one 0',
      'file /real/two 0',
      'symlink /a real',
      'symlink /b /c/d',
    ])
  })

  it('CVE-2026-17106: refuses loops and trees of symlinks that never end', () => {
    refused([symlink('a', 'b'), symlink('b', 'a'), file('a/x')], /a\/x: too many symbolic links/)
    refused([symlink('a', 'a/a'), file('a/x')], /too many symbolic links/)
  })

  it('CVE-2026-17106: refuses whiteouts of nothing, of . and of ..', () => {
    for (const name of ['.wh.', '.wh..', '.wh...', 'a/.wh...']) refused([file(name)], /whiteout of nothing/)
  })

  it('CVE-2026-17106: puts an opaque marker below a symlink where the symlink leads', () => {
    const tree = treeOf(symlink('a', '/etc'), opaque('a'))
    assert.deepEqual(listing(tree), ['directory /etc opaque', 'symlink /a /etc'])
  })

  it('refuses parents that are files, and directories named like whiteouts', () => {
    refused([file('a'), file('a/b')], /a\/b: something on the way is not a directory/)
    refused([file('.wh.a/b')], /\.wh\.a is not a name for a directory/)
    refused([symlink('s', '.wh.x/y'), file('s/z')], /is not a name for a directory/)
  })

  it('refuses hard links to directories and to the root, and a root that is a file', () => {
    refused([directory('d'), hardlink('l', 'd')], /l: hard link to a directory/)
    refused([hardlink('l', '/')], /l: hard link to the root/)
    refused([file('./')], /the root is not a directory/)
  })

  it('Apple GHSA-697p-8837-37h3: refuses a component longer than a file system takes', () => {
    const long = 'n'.repeat(256)
    refused([pax([['path', long]]), file('x')], /component longer than 255 bytes/)
    refused([pax([['path', `${long}/x`]]), file('x')], /component longer than 255 bytes/)
    refused(
      [symlink('s', 'x'), pax([['linkpath', long]]), symlink('s', 'x'), file('s/y')],
      /component longer/,
    )
  })

  it('leaves out attributes that steer overlayfs or mean nothing on Linux', () => {
    const names = [
      'user.kept',
      'security.capability',
      'trusted.kept',
      'trusted.overlay.opaque',
      'trusted.overlay.redirect',
      'trusted.overlay.metacopy',
      'com.apple.provenance',
      'system.nfs4_acl',
      'system.posix_acl_access',
    ]
    const records = names.map((name) => [`SCHILY.xattr.${name}`, 'v'] as const)
    const tree = treeOf(pax(records), file('f'), pax(records), symlink('s', 'f'))
    assert.deepEqual(
      [...tree.root.children!.get('f')!.xattrs!.keys()],
      ['user.kept', 'security.capability', 'trusted.kept', 'system.posix_acl_access'],
    )
    assert.equal(tree.root.children!.get('s')!.xattrs!.has('user.kept'), false)
  })

  it('CVE-2026-95838: takes 100,000 opaque whiteouts in work that grows with their number alone', () => {
    const tree = new LayerTree()
    const parser = new TarParser(tree)
    for (let i = 0; i < 100_000; i++) parser.push(opaque(`d${i % 1000}/e`))
    parser.end()
    assert.equal(tree.nodes, 2001)
  })
})

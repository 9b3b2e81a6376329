import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError } from '#base/errors.ts'
import { CopyWorld, document, type CopyOptions } from './copy-world.fixture.ts'
import { directory, file, MemoryTree, special, symlink } from './memory-tree.fixture.ts'

const one = file('1', { mode: 0o4755 })

const files = (): MemoryTree =>
  new MemoryTree({
    'a.txt': file('a'),
    'b.txt': file('b', { mtime: 1_700_000_007 }),
    'c.md': file('c'),
    dir: directory({ mode: 0o700 }),
    'dir/1.txt': one,
    'dir/2.md': file('2'),
    'dir/link': symlink('../a.txt'),
    'dir/sub': directory({ mode: 0o701 }),
    'dir/sub/3.txt': file('3'),
    'dir/sub/hard': one,
    'dir/sub/deep/4.md': file('4'),
    'to-a': symlink('a.txt'),
    'to-dir': symlink('dir'),
    'to-nowhere': symlink('nowhere'),
    out: symlink('../../../a.txt'),
    pipe: special('fifo', { mode: 0o600 }),
  })

const below = (): MemoryTree =>
  new MemoryTree({
    tmp: directory({ mode: 0o1777, mtime: 5 }),
    app: directory({
      mode: 0o750,
      uid: 7,
      gid: 7,
      mtime: 6,
      xattrs: new Map([['user.x', Buffer.from('y')]]),
    }),
    'app/old': file('old'),
    'etc/passwd': file('root:x:0:0::/:/bin/sh\njoe:x:12:34::/:/bin/sh\n'),
    'etc/group': file('staff:x:50:\n'),
    'to-app': symlink('/app'),
    'to-old': symlink('app/old'),
    'to-new': symlink('srv/new'),
    round: symlink('../../round'),
    climb: symlink('../../../../tmp'),
  })

async function listing(
  sources: Parameters<CopyWorld['copy']>[0],
  destination: string,
  options?: CopyOptions,
): Promise<readonly string[]> {
  const world = new CopyWorld(files())
  await world.copy(sources, destination, options)
  return world.root.listing()
}

/** What the step changes below. */
async function changes(
  sources: Parameters<CopyWorld['copy']>[0],
  destination: string,
  options?: CopyOptions,
): Promise<readonly string[]> {
  const world = new CopyWorld(files(), below())
  const before = new Set(world.root.listing())
  await world.copy(sources, destination, options)
  return world.root.listing().filter((line) => !before.has(line))
}

function refuses(code: string, message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof EngineError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  }
}

describe('sources of COPY', () => {
  it('copies a file under the name that the destination gives, or its own into a directory', async () => {
    assert.deepEqual(await listing(['a.txt'], '/x'), ['644 0:0 file x "a"'])
    assert.deepEqual(await listing(['a.txt'], '/x/'), ['755 0:0 directory x', '644 0:0 file x/a.txt "a"'])
    assert.deepEqual(await changes(['a.txt'], '/app'), ['644 0:0 file app/a.txt "a"'])
  })

  it('copies the contents of a directory, not itself: what is made for them is 0755', async () => {
    assert.deepEqual(await listing(['dir'], '/new'), [
      '755 0:0 directory new',
      '4755 0:0 file new/1.txt "1"',
      '644 0:0 file new/2.md "2"',
      '777 0:0 symlink new/link -> ../a.txt',
      '701 0:0 directory new/sub',
      '644 0:0 file new/sub/3.txt "3"',
      '755 0:0 directory new/sub/deep',
      '644 0:0 file new/sub/deep/4.md "4"',
      '4755 0:0 file new/sub/hard = new/1.txt',
    ])
  })

  it('takes patterns of filepath.Match, one name for each part of the path', async () => {
    const names = async (pattern: string): Promise<string[]> => {
      const world = new CopyWorld(files())
      const layer = await world.copy([pattern], '/x/')
      return layer === undefined ? [] : (await world.names(layer)).slice(1)
    }
    assert.deepEqual(await names('*.txt'), ['x/a.txt', 'x/b.txt'])
    assert.deepEqual(await names('[ac].*'), ['x/a.txt', 'x/c.md'])
    assert.deepEqual(await names('*/?.txt'), ['x/1.txt'])
    assert.deepEqual(await names('**/3.txt'), [])
    assert.deepEqual(await names('dir/*/dee*'), ['x/4.md'])
    assert.deepEqual(await names('nothing*'), [])
    assert.deepEqual(await names('nowhere/*'), [])
  })

  it('makes no layer when a pattern matches nothing', async () => {
    assert.equal(await new CopyWorld(files()).copy(['nothing*'], '/x/'), undefined)
  })

  it('refuses a bad pattern', async () => {
    await assert.rejects(listing(['[z-'], '/x/'), refuses('COPY_PATTERN_INVALID', /"\[z-"/))
  })

  it('follows a symlink that is named or matched, and copies those in a directory as they are', async () => {
    assert.deepEqual(await listing(['to-a'], '/x/'), ['755 0:0 directory x', '644 0:0 file x/to-a "a"'])
    assert.deepEqual(await listing(['to-d*/2.md'], '/x'), [])
    assert.deepEqual(await listing(['to-dir/2.md'], '/x'), ['644 0:0 file x "2"'])
    assert.equal((await listing(['to-d*'], '/x/')).length, 9)
  })

  it('never leaves the root of the source', async () => {
    assert.deepEqual(await listing(['../../a.txt'], '/x'), ['644 0:0 file x "a"'])
    assert.deepEqual(await listing(['/dir/../../a.txt'], '/x'), ['644 0:0 file x "a"'])
    assert.deepEqual(await listing(['out'], '/x'), ['644 0:0 file x "a"'])
  })

  it('says what is missing in the words of BuildKit, and what is near', async () => {
    const missing = /^failed to compute cache key: .*"\/a\.text": not found\nDid you mean "\/a\.txt"\?$/
    await assert.rejects(listing(['a.text'], '/x'), refuses('COPY_SOURCE_NOT_FOUND', missing))
    await assert.rejects(
      listing(['dir/sub/3.tx'], '/x'),
      refuses('COPY_SOURCE_NOT_FOUND', /Did you mean "\/dir\/sub\/3\.txt"/),
    )
    await assert.rejects(
      listing(['to-nowhere'], '/x'),
      refuses('COPY_SOURCE_NOT_FOUND', /"\/to-nowhere": not/),
    )
    await assert.rejects(listing(['a.txt/x'], '/x'), refuses('COPY_SOURCE_NOT_FOUND', /"\/a\.txt\/x": not/))
  })

  it('says which ignore file leaves out what is missing', async () => {
    const world = new CopyWorld(files(), undefined, (path) => (path === 'gone' ? '.dockerignore' : undefined))
    await assert.rejects(
      world.copy(['gone'], '/x'),
      refuses('COPY_SOURCE_NOT_FOUND', /not found\n\.dockerignore leaves it out: to have it, add "!gone"/),
    )
  })

  it('takes a backslash for what makes a wildcard an ordinary character', async () => {
    const tree = new MemoryTree({
      'a*': file('star'),
      ab: file('b'),
      '[x': file('bracket'),
      'back\\slash': file('s'),
    })
    const copied = async (pattern: string): Promise<readonly string[]> => {
      const world = new CopyWorld(tree)
      await world.copy([pattern], '/d/')
      return world.root.listing().slice(1)
    }
    assert.deepEqual(await copied(String.raw`a\*`), ['644 0:0 file d/a* "star"'])
    assert.deepEqual(await copied(String.raw`[a]\**`), ['644 0:0 file d/a* "star"'])
    assert.deepEqual(await copied('[[]x'), ['644 0:0 file d/[x "bracket"'])
    assert.deepEqual(await copied(String.raw`back\slash`), [String.raw`644 0:0 file d/back\slash "s"`])
  })

  it('refuses a symlink that is matched and leads nowhere', async () => {
    await assert.rejects(
      listing(['to-*'], '/x/'),
      refuses('COPY_SOURCE_NOT_FOUND', /"\/to-nowhere": not found/),
    )
  })

  it('copies what is neither file nor directory', async () => {
    assert.deepEqual(await listing(['pipe'], '/'), ['600 0:0 fifo pipe'])
  })

  it('copies what names a removal in a layer neither as a file nor as a device', async () => {
    const tree = new MemoryTree({
      'd/.wh.passwd': file(),
      'e/.wh..wh..opq': file(),
      'f/.wh.x/y': file(),
      'g/zero': special('char', { major: 0, minor: 0 }),
      'h/null': special('char', { major: 1, minor: 3, mode: 0o666 }),
    })
    for (const source of ['d', 'e', 'f', 'g', 'd/.wh.passwd']) {
      await assert.rejects(
        new CopyWorld(tree).copy([source], '/etc/'),
        refuses('COPY_FILE_UNSUPPORTED', /no layer can hold/),
      )
    }
    const world = new CopyWorld(tree)
    await world.copy(['h'], '/dev/')
    assert.deepEqual(world.root.listing(), ['755 0:0 directory dev', '666 0:0 char dev/null 1:3'])
  })

  it('keeps extended attributes but those that steer overlayfs', async () => {
    const xattrs = new Map([
      ['user.note', Buffer.from('n')],
      ['security.capability', Buffer.from('c')],
      ['trusted.overlay.opaque', Buffer.from('y')],
    ])
    const world = new CopyWorld(new MemoryTree({ d: directory({ xattrs }), 'd/f': file('', { xattrs }) }))
    await world.copy(['.'], '/')
    assert.deepEqual(world.root.listing(), [
      '755 0:0 directory d security.capability=c user.note=n',
      '644 0:0 file d/f "" security.capability=c user.note=n',
    ])
  })

  it('copies a file whose first name is left out', async () => {
    assert.deepEqual(
      await listing(['dir'], '/x/', { exclude: ['1.txt', '2.md', 'link', 'sub/3.txt', 'sub/deep'] }),
      ['755 0:0 directory x', '701 0:0 directory x/sub', '4755 0:0 file x/sub/hard "1"'],
    )
    assert.deepEqual(await listing(['dir/sub/hard'], '/x'), ['4755 0:0 file x "1"'])
  })

  it('keeps several names of a symlink as they are', async () => {
    const link = symlink('../a')
    const tree = new MemoryTree({ a: file('a'), 'd/one': link, 'd/two': link, 'e/f': file(), 'e/one': link })
    const world = new CopyWorld(tree)
    await world.copy(['d', 'e'], '/d/', { exclude: ['f'] })
    assert.deepEqual(world.root.listing(), [
      '755 0:0 directory d',
      '777 0:0 symlink d/one -> ../a',
      '777 0:0 symlink d/two -> ../a',
    ])
    await world.copy(['d'], '/x/')
    assert.deepEqual(world.root.listing().slice(-2), [
      '777 0:0 symlink x/one -> ../a',
      '777 0:0 symlink x/two = x/one',
    ])
    await world.copy(['.'], '/y/', { exclude: ['d/one'] })
    assert.deepEqual(
      world.root.listing().filter((line) => line.includes('symlink y')),
      ['777 0:0 symlink y/d/two -> ../a', '777 0:0 symlink y/e/one = y/d/two'],
    )
  })
})

describe('COPY --exclude', () => {
  it('is relative to the directory whose contents are copied', async () => {
    const names = async (...exclude: string[]): Promise<string[]> =>
      (await listing(['dir'], '/x/', { exclude })).map((line) => line.split(' ')[3] ?? '').slice(1)
    assert.deepEqual(await names('*.md', 'sub'), ['x/1.txt', 'x/link'])
    assert.deepEqual(await names('dir/*.md', 'dir/sub'), await names())
    assert.deepEqual(await names('**/*.md', 'link', 'sub/deep'), [
      'x/1.txt',
      'x/sub',
      'x/sub/3.txt',
      'x/sub/hard',
    ])
  })

  it('makes an excluded directory for what is not excluded in it', async () => {
    assert.deepEqual(await listing(['dir'], '/x/', { exclude: ['**', '!sub/3.txt'] }), [
      '755 0:0 directory x',
      '701 0:0 directory x/sub',
      '644 0:0 file x/sub/3.txt "3"',
    ])
  })

  it('goes by the name of what a pattern matches', async () => {
    assert.deepEqual(await listing(['*.*'], '/x/', { exclude: ['*.txt'] }), [
      '755 0:0 directory x',
      '644 0:0 file x/c.md "c"',
    ])
    assert.deepEqual(await listing(['[cd]*'], '/x/', { exclude: ['dir'] }), [
      '755 0:0 directory x',
      '644 0:0 file x/c.md "c"',
    ])
  })
})

describe('COPY --parents', () => {
  const parents = true

  it('keeps the directories above, as they are', async () => {
    assert.deepEqual(await listing(['dir/sub/3.txt', 'a.txt'], '/p', { parents }), [
      '755 0:0 directory p',
      '644 0:0 file p/a.txt "a"',
      '700 0:0 directory p/dir',
      '701 0:0 directory p/dir/sub',
      '644 0:0 file p/dir/sub/3.txt "3"',
    ])
  })

  it('keeps those behind the pivot alone', async () => {
    assert.deepEqual(await listing(['./dir/./sub/3.txt'], '/p/', { parents }), [
      '755 0:0 directory p',
      '701 0:0 directory p/sub',
      '644 0:0 file p/sub/3.txt "3"',
    ])
    assert.deepEqual(await listing(['dir/sub/./'], '/p/', { parents, exclude: ['deep', 'hard'] }), [
      '755 0:0 directory p',
      '644 0:0 file p/3.txt "3"',
    ])
  })

  it('takes ** for any number of directories, and no directory without need', async () => {
    assert.deepEqual(await listing(['**/4.md'], '/p/', { parents }), [
      '755 0:0 directory p',
      '700 0:0 directory p/dir',
      '701 0:0 directory p/dir/sub',
      '755 0:0 directory p/dir/sub/deep',
      '644 0:0 file p/dir/sub/deep/4.md "4"',
    ])
    assert.deepEqual(await listing(['*/1.txt'], '/p/', { parents }), [
      '755 0:0 directory p',
      '700 0:0 directory p/dir',
      '4755 0:0 file p/dir/1.txt "1"',
    ])
  })

  it('misses a path, but not a pattern', async () => {
    await assert.rejects(
      listing(['dir/nope/x'], '/p/', { parents }),
      refuses('COPY_SOURCE_NOT_FOUND', /"\/dir\/nope\/x": not found/),
    )
    await assert.rejects(
      listing(['nope/./x'], '/p/', { parents }),
      refuses('COPY_SOURCE_NOT_FOUND', /nope\/x/),
    )
    await listing(['dir/nope/*'], '/p/', { parents })
  })

  it('applies owner and mode to the directories too', async () => {
    assert.deepEqual(await listing(['dir/2.md'], '/p/', { parents, chown: '3', chmod: '711' }), [
      '711 3:3 directory p',
      '711 3:3 directory p/dir',
      '711 3:3 file p/dir/2.md "2"',
    ])
  })
})

describe('destination of COPY', () => {
  it('follows symlinks inside the root', async () => {
    assert.deepEqual(await changes(['a.txt'], '/to-app/'), ['644 0:0 file app/a.txt "a"'])
    assert.deepEqual(await changes(['a.txt'], '/to-app'), ['644 0:0 file app/a.txt "a"'])
    assert.deepEqual(await changes(['a.txt'], '/to-old'), ['644 0:0 file app/old "a"'])
    assert.deepEqual(await changes(['a.txt'], '/to-new'), [
      '755 0:0 directory srv',
      '644 0:0 file srv/new "a"',
    ])
    assert.deepEqual(await changes(['a.txt'], '/climb/x/y'), [
      '755 0:0 directory tmp/x',
      '644 0:0 file tmp/x/y "a"',
    ])
    await assert.rejects(
      changes(['a.txt'], '/round/x'),
      refuses('COPY_DESTINATION_INVALID', /too many links/),
    )
  })

  it('follows none with --link, and knows nothing of what is below', async () => {
    const world = new CopyWorld(files(), below())
    const layer = await world.copy(['a.txt'], '/to-app/x/', { link: true })
    assert.deepEqual(await world.names(layer!), ['to-app', 'to-app/x', 'to-app/x/a.txt'])
    const elsewhere = new CopyWorld(files())
    assert.equal(await elsewhere.copy(['a.txt'], '/to-app/x/', { link: true }), layer)
  })

  it('leaves directories that are there as they are, in the layer too, but for those it copies', async () => {
    const world = new CopyWorld(new MemoryTree({ 'c/new': file('n'), 'c/sub/x': file('x') }), below())
    const layer = await world.copy(['c'], '/app', { chown: '5:6' })
    const again = await world.copy(['c'], '/app/', { chown: '7:8', chmod: '700' })
    const directories = world.root.listing({ times: true }).filter((line) => line.includes('directory app'))
    assert.deepEqual(directories, [
      '750 7:7 directory app user.x=y @6',
      '700 7:8 directory app/sub @1700000000',
    ])
    assert.deepEqual(await world.names(layer!), ['app', 'app/new', 'app/sub', 'app/sub/x'])
    assert.deepEqual(await world.names(again!), await world.names(layer!))
  })

  it('makes what is missing, 0755 or as --chown and an octal --chmod say', async () => {
    assert.deepEqual(await listing(['a.txt'], '/p/q/', { chmod: 'u=rwX,go=' }), [
      '755 0:0 directory p',
      '755 0:0 directory p/q',
      '600 0:0 file p/q/a.txt "a"',
    ])
    assert.deepEqual(await listing(['a.txt'], '/p/q/', { chown: '5', chmod: '700' }), [
      '700 5:5 directory p',
      '700 5:5 directory p/q',
      '700 5:5 file p/q/a.txt "a"',
    ])
  })

  it('refuses to put one kind of file where another is', async () => {
    const refused = (message: RegExp) => refuses('COPY_DESTINATION_INVALID', message)
    await assert.rejects(changes(['dir'], '/app/old'), refused(/cannot copy to non-directory: \/app\/old/))
    await assert.rejects(changes(['a.txt'], '/app/old/'), refused(/mkdir \/app\/old: not a directory/))
    await assert.rejects(changes(['a.txt'], '/app/old/x/y'), refused(/mkdir \/app\/old: not a directory/))
    const tree = new MemoryTree({ 'to-app/x': file(), 'other/app': file() })
    await assert.rejects(
      new CopyWorld(tree, below()).copy(['.'], '/'),
      refused(/cannot copy to non-directory: \/to-app\nIt is a symbolic link to \/app: copy to there/),
    )
    await assert.rejects(
      new CopyWorld(tree, below()).copy(['other'], '/'),
      refused(/cannot replace to directory \/app with file/),
    )
  })

  it('replaces files and symlinks by files', async () => {
    const tree = new MemoryTree({ 'to-app': file('now a file'), 'app/old': file('new') })
    const world = new CopyWorld(tree, below())
    await world.copy(['.'], '/')
    assert.equal(world.root.files.get('to-app')?.content.toString(), 'now a file')
    assert.equal(world.root.files.get('app/old')?.content.toString(), 'new')
  })

  it('is a directory for several files', async () => {
    for (const sources of [['a.txt', 'b.txt'], ['*.txt']]) {
      await assert.rejects(
        listing(sources, '/x'),
        refuses('COPY_DESTINATION_INVALID', /more than one source file, the destination must be a directory/),
      )
    }
    assert.deepEqual(await listing(['c*'], '/x'), ['644 0:0 file x "c"'])
    assert.equal((await changes(['*.txt'], '/app')).length, 2)
    assert.equal((await listing(['dir', 'a.txt'], '/x')).length, 10)
  })
})

describe('--chown and --chmod', () => {
  const owners = async (chown: string): Promise<readonly string[]> => changes(['a.txt'], '/f', { chown })

  it('takes numbers as they are and names from the files below', async () => {
    assert.deepEqual(await owners('5'), ['644 5:5 file f "a"'])
    assert.deepEqual(await owners('5:6'), ['644 5:6 file f "a"'])
    assert.deepEqual(await owners('joe'), ['644 12:34 file f "a"'])
    assert.deepEqual(await owners('joe:staff'), ['644 12:50 file f "a"'])
    assert.deepEqual(await owners('joe:9'), ['644 12:9 file f "a"'])
    assert.deepEqual(await owners(':staff'), ['644 0:50 file f "a"'])
  })

  it('takes the group of a colon with nothing behind it for root, as BuildKit does', async () => {
    assert.deepEqual(await owners('5:'), ['644 5:0 file f "a"'])
    assert.deepEqual(await owners('joe:'), ['644 12:0 file f "a"'])
    assert.deepEqual(await owners('joe:root'), ['644 12:0 file f "a"'])
  })

  it('says that a name is not known', async () => {
    const notes = async (chown: string, link = false): Promise<readonly string[]> => {
      const world = new CopyWorld(files(), below())
      await world.copy(['a.txt'], '/f', { chown, link })
      return world.notes
    }
    const user = 'warning: line 1: no user jane in /etc/passwd here: root is taken'
    assert.deepEqual(await notes('jane'), [user])
    assert.deepEqual(await notes('jane:staff', true), [user])
    assert.deepEqual(await notes('jane:nogroup'), [
      user,
      'warning: line 1: no group nogroup in /etc/group here: the group of the user is taken',
    ])
    for (const chown of ['joe', 'joe:staff', ':staff', '5:6', '5:', 'root:root'])
      assert.deepEqual(await notes(chown), [], chown)
  })

  it('refuses a name on nothing, where nobody could ever be found', async () => {
    for (const chown of ['jane', '0:staff', ':staff']) {
      for (const link of [false, true]) {
        const world = new CopyWorld(files())
        world.layers.length = 0
        const copied = world.copy(['a.txt'], '/f', { chown, link })
        await assert.rejects(copied, refuses('USER_INVALID', /scratch has no \/etc\/(passwd|group)/))
      }
    }
    const world = new CopyWorld(files())
    world.layers.length = 0
    await assert.rejects(world.workdir('/w', 'jane'), refuses('USER_INVALID', /no \/etc\/passwd.*jane/))
    await world.copy(['a.txt'], '/f', { chown: 'root:root' })
    await world.copy(['a.txt'], '/g', { chown: 'jane' })
  })

  it('takes names that are not known for root, and refuses numbers that are none', async () => {
    assert.deepEqual(await owners('jane'), ['644 0:0 file f "a"'])
    assert.deepEqual(await owners('joe:nogroup'), ['644 12:34 file f "a"'])
    assert.deepEqual(await owners('33:nogroup'), ['644 33:33 file f "a"'])
    assert.deepEqual(await owners('1:2:3'), ['644 1:1 file f "a"'])
    assert.deepEqual(await owners('4294967294:3000000000'), ['644 4294967294:3000000000 file f "a"'])
    await assert.rejects(owners('4294967295'), refuses('USER_INVALID', /invalid id/))
    await assert.rejects(owners('-1'), refuses('USER_INVALID', /invalid id/))
    await assert.rejects(owners('1:4294967296'), refuses('USER_INVALID', /invalid id/))
  })

  it('reads /etc/passwd through symlinks, inside the root', async () => {
    const root = new MemoryTree({
      etc: symlink('/usr/etc'),
      'usr/etc/passwd': symlink('../../../../real'),
      real: file('joe:x:1:2::/:\n'),
    })
    const world = new CopyWorld(files(), root)
    await world.copy(['a.txt'], '/f', { chown: 'joe' })
    assert.ok(world.root.listing().includes('644 1:2 file f "a"'))
  })

  it('sets modes of files and directories, not of symlinks', async () => {
    const lines = await listing(['dir'], '/x/', { chmod: 'u=rwX,go=rX' })
    assert.deepEqual(lines.slice(0, 5), [
      '755 0:0 directory x',
      '755 0:0 file x/1.txt "1"',
      '644 0:0 file x/2.md "2"',
      '777 0:0 symlink x/link -> ../a.txt',
      '755 0:0 directory x/sub',
    ])
    assert.deepEqual(await listing(['a.txt'], '/x', { chmod: '6711' }), ['6711 0:0 file x "a"'])
  })
})

describe('heredocs', () => {
  it('are files of the name of their delimiter', async () => {
    assert.deepEqual(await listing([document('one', '1\n'), document('two', '')], '/d/'), [
      '755 0:0 directory d',
      '644 0:0 file d/one "1\\n"',
      '644 0:0 file d/two ""',
    ])
    assert.deepEqual(await listing([document('EOF', 'x')], '/f', { chmod: '755', chown: '3' }), [
      '755 3:3 file f "x"',
    ])
  })
})

describe('WORKDIR', () => {
  const made = async (path: string, user?: string): Promise<readonly string[] | undefined> => {
    const world = new CopyWorld(files(), below())
    const before = new Set(world.root.listing())
    const layer = await world.workdir(path, user)
    return layer === undefined ? undefined : world.root.listing().filter((line) => !before.has(line))
  }

  it('changes nothing when it is there', async () => {
    assert.equal(await made('/app'), undefined)
    assert.equal(await made('/to-app'), undefined)
    assert.equal(await made('/'), undefined)
  })

  it('makes it and its parents for the user, through symlinks', async () => {
    assert.deepEqual(await made('/home/j', 'joe'), ['755 12:34 directory home', '755 12:34 directory home/j'])
    assert.deepEqual(await made('/to-app/x', '77'), ['755 77:77 directory app/x'])
    assert.deepEqual(await made('/w', 'joe:staff'), ['755 12:50 directory w'])
    assert.deepEqual(await made('/w', 'joe:unknown'), ['755 12:34 directory w'])
    assert.deepEqual(await made('/w', 'unknown'), ['755 0:0 directory w'])
    assert.deepEqual(await made('/to-new'), ['755 0:0 directory srv', '755 0:0 directory srv/new'])
  })

  it('refuses a file', async () => {
    await assert.rejects(
      made('/to-old'),
      refuses('COPY_DESTINATION_INVALID', /mkdir \/app\/old: not a directory/),
    )
    await assert.rejects(made('/app/old/x'), refuses('COPY_DESTINATION_INVALID', /not a directory/))
  })
})

describe('the layer', () => {
  it('is the same for the same files, whenever and in whatever order they come', async () => {
    const other = new MemoryTree()
    for (const [path, each] of [...files().files].toReversed()) if (path !== '') other.set(path, each)
    const layer = await new CopyWorld(files(), below()).copy(['dir', 'a.txt'], '/x/y/')
    assert.equal(await new CopyWorld(other, below()).copy(['dir', 'a.txt'], '/x/y/'), layer)
  })

  it('dates what it makes by its newest file, or else by the directory that it is in', async () => {
    const times = async (world: CopyWorld): Promise<readonly string[]> => world.root.listing({ times: true })
    const copied = new CopyWorld(files())
    await copied.copy(['*.txt', document('EOF', '')], '/x/')
    assert.deepEqual(await times(copied), [
      '755 0:0 directory x @1700000007',
      '644 0:0 file x/EOF "" @1700000007',
      '644 0:0 file x/a.txt "a" @1700000000',
      '644 0:0 file x/b.txt "b" @1700000007',
    ])
    const made = new CopyWorld(files(), below())
    await made.workdir('/w')
    assert.ok((await times(made)).includes('755 0:0 directory w @1700000000'))
    // Programs that make ZIP archives of it would stumble over older ones.
    await made.workdir('/app/w')
    assert.ok((await times(made)).includes('755 0:0 directory app/w @315619200'))
  })

  it('has whole seconds', async () => {
    const world = new CopyWorld(new MemoryTree({ f: file('f') }))
    const layer = await world.copy(['f'], '/f')
    const [bytes] = await Array.fromAsync(world.snapshots.tar(layer!))
    assert.equal(bytes?.length, 512 + 512 + 1024)
  })

  it('gives its sources back, also when it fails', async () => {
    const world = new CopyWorld(files())
    await world.copy(['dir', 'a.txt'], '/x/')
    await assert.rejects(world.copy(['dir', 'nope'], '/x/'))
    await world.inspect(['dir'], '/x/')
    assert.equal(world.sources.length, 3)
    assert.ok(world.sources.every(({ disposed }) => disposed))
  })
})

describe('inspect()', () => {
  it('reads no content: digests are asked for', async () => {
    const world = new CopyWorld(files())
    const { files: found } = await world.inspect(['dir', 'a.txt'], '/x/')
    assert.deepEqual(world.sources[0]?.reads, [])
    assert.deepEqual(
      found.map(({ path }) => path),
      [
        'a.txt',
        'dir/1.txt',
        'dir/2.md',
        'dir/link',
        'dir/sub',
        'dir/sub/3.txt',
        'dir/sub/deep',
        'dir/sub/deep/4.md',
        'dir/sub/hard',
      ],
    )
  })

  it('sees every change but that of a time, and names the file', async () => {
    const before = await new CopyWorld(files()).inspect(['dir'], '/x/')
    const inspected = async (
      path: string,
      change: (tree: MemoryTree) => void,
    ): Promise<readonly string[]> => {
      const tree = files()
      change(tree)
      const after = await new CopyWorld(tree).inspect(['dir'], '/x/')
      const known = new Map(before.files.map((each) => [each.path, each.digest]))
      const differing = after.files.filter((each) => known.get(each.path) !== each.digest)
      assert.equal(after.digest === before.digest, differing.length === 0, path)
      return differing.map((each) => each.path)
    }
    const set = (path: string, each: ReturnType<typeof file>) => (tree: MemoryTree) => tree.set(path, each)
    const same = async (path: string, each: ReturnType<typeof file>): Promise<void> =>
      assert.deepEqual(await inspected(path, set(path, each)), [])
    const differs = async (path: string, each: ReturnType<typeof file>): Promise<void> =>
      assert.deepEqual(await inspected(path, set(path, each)), [path])
    await same('dir/2.md', file('2', { mtime: 9 }))
    await same('a.txt', file('another'))
    await same('dir', directory({ mode: 0o711 }))
    await differs('dir/2.md', file('two'))
    await differs('dir/2.md', file('2', { mode: 0o600 }))
    await differs('dir/2.md', file('2', { uid: 1 }))
    await differs('dir/2.md', file('2', { gid: 1 }))
    await differs('dir/2.md', file('2', { xattrs: new Map([['user.a', Buffer.from('b')]]) }))
    await differs('dir/2.md', symlink('2'))
    await differs('dir/link', symlink('../b.txt'))
    await differs('dir/sub', directory({ mode: 0o700 }))
    await differs('dir/new', file('new'))
    await differs('dir/sub/hard', file('1', { mode: 0o4755 }))
  })

  it('says of files what copying them says, each by what is in the layer', async () => {
    for (const sources of [['dir'], ['dir/*', 'a.txt'], ['nothing*'], [document('d', 'x'), 'dir']]) {
      const tree = files()
      const world = new CopyWorld(tree)
      const { digest } = await world.inspect(sources, '/x/')
      await world.copy(sources, '/x/')
      assert.equal(world.taken, digest)
    }
    const tree = files()
    const world = new CopyWorld(tree)
    const { digest } = await world.inspect(['dir'], '/x/')
    tree.set('dir/2.md', file('changed meanwhile'))
    await world.copy(['dir'], '/x/')
    assert.notEqual(world.taken, digest)
    assert.equal(world.taken, (await world.inspect(['dir'], '/x/')).digest)
  })

  it('sees which file is gone', async () => {
    const tree = files()
    const before = await new CopyWorld(tree).inspect(['dir'], '/x/')
    tree.remove('dir/2.md')
    const after = await new CopyWorld(tree).inspect(['dir'], '/x/')
    assert.notEqual(after.digest, before.digest)
  })

  it('says what is missing', async () => {
    await assert.rejects(
      new CopyWorld(files()).inspect(['nope'], '/x'),
      refuses('COPY_SOURCE_NOT_FOUND', /nope/),
    )
  })
})

describe('thousands of files', () => {
  it('let others in between', async () => {
    const tree = new MemoryTree()
    for (let i = 0; i < 4000; i++) tree.files.set(`f${i}`, file())
    const world = new CopyWorld(tree)
    let turns = 0
    let going = true
    const count = (): void => {
      turns++
      if (going) setImmediate(count)
    }
    setImmediate(count)
    await world.inspect(['.'], '/x/')
    const inspected = turns
    await world.copy(['.'], '/x/')
    going = false
    assert.ok(inspected > 0, `${inspected}`)
    assert.ok(turns > inspected, `${turns - inspected}`)
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TreeEntry, TreeRecord } from '#os/tree.ts'
import type { MountStubs } from './mount-stubs.ts'
import { stepChanges } from './step-changes.ts'

/** `d etc`, `f etc/x`, `w gone`, `D opaque` with `!` for a directory that differs from the one below. */
function recordOf(text: string): TreeRecord {
  const [letter = '', path = ''] = text.split(' ')
  const types = { d: 'directory', D: 'directory', f: 'file', w: 'whiteout', l: 'symlink' } as const
  const changed = path.endsWith('!')
  return {
    type: types[letter as keyof typeof types],
    path: path.replace('!', ''),
    mode: changed ? 0o700 : 0o755,
    uid: 0,
    gid: 0,
    mtime: { seconds: 1, nanoseconds: 0 },
    size: letter === 'f' ? 1 : 0,
    ...(letter === 'D' ? { opaque: true } : {}),
  }
}

/** Paths that are left, in order; `below` has directories with a slash at their end. */
async function changes(upper: string, below: string, stubs = ''): Promise<string> {
  const lower = new Map(
    words(below).map((path) => [
      path.replace(/\/$/, ''),
      { isDirectory: path.endsWith('/'), mode: 0o755, uid: 0, gid: 0 },
    ]),
  )
  const made = new Set(words(stubs))
  const fake = {
    has: ({ path, type, size }: TreeRecord) => made.has(path) && (type === 'directory' || size === 0),
    before: () => undefined,
  } as unknown as MountStubs
  const asked: string[] = []
  const entries = upper.split(', ').map((text): TreeEntry => ({ record: recordOf(text), data: none() }))
  const left: string[] = []
  for await (const { record } of stepChanges(streamOf(entries), fake, async (path) => {
    asked.push(path)
    return lower.get(path)
  })) {
    left.push(record.path)
  }
  return left.join(' ')
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}

async function* none(): AsyncGenerator<Uint8Array> {}

async function* streamOf(entries: readonly TreeEntry[]): AsyncGenerator<TreeEntry> {
  yield* entries
}

describe('stepChanges()', () => {
  it('gives what is new or another', async () => {
    assert.equal(await changes('d , f a, l b', 'a/'), 'a b')
  })

  it('leaves out directories that were only copied up', async () => {
    assert.equal(await changes('d etc, d usr, d usr/bin', 'etc/ usr/ usr/bin/'), '')
    assert.equal(await changes('d etc!, d usr', 'etc/ usr/'), 'etc')
    assert.equal(await changes('d etc', 'etc'), 'etc', 'a file before')
  })

  it('gives the directories on the way to a change, and no others', async () => {
    assert.equal(
      await changes('d a, d a/b, d a/b/c, f a/b/x, d a/d, d e, f e/f', 'a/ a/b/ a/b/c/ a/d/ e/'),
      'a a/b a/b/x e e/f',
    )
    assert.equal(await changes('d a, d ab, f ab/c', 'a/ ab/'), 'ab ab/c', 'a prefix is no parent')
  })

  it('leaves out places of mounts unless something is in them', async () => {
    assert.equal(await changes('d new, d new/place', '', 'new new/place'), '')
    assert.equal(await changes('d new, f new/kept, d new/place', '', 'new new/place'), 'new new/kept')
    assert.equal(await changes('f hosts', '', 'hosts'), 'hosts', 'it has something in it')
  })

  it('keeps whiteouts of what there was', async () => {
    assert.equal(await changes('w a, w b', 'a'), 'a')
    assert.equal(await changes('d d, w d/a', 'd/ d/a'), 'd d/a')
  })

  it('refuses names that mean something in a layer', async () => {
    for (const name of ['.wh.passwd', 'a/.wh..wh..opq', '.wh.']) {
      await assert.rejects(changes(`f ${name}`, ''), /names that begin with \.wh\./, name)
    }
    assert.equal(await changes('f a.wh.b, f x', ''), 'a.wh.b x')
  })

  it('takes everything in an opaque directory for new', async () => {
    assert.equal(await changes('D d, d d/e, w d/w, d f', 'd/ d/e/ d/w f/'), 'd d/e')
  })
})

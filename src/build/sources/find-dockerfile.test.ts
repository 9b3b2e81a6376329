import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { engineErrorOf, isKind } from '#base/errors.ts'
import type { FileSource } from './file-source.ts'
import { findDockerfile, findIgnore } from './find-dockerfile.ts'
import { type Sketch, tarOf } from './sources.suite.ts'
import { testSpool } from './spool.fixture.ts'
import { openStreamedContext } from './tar-context.ts'

async function context(files: readonly Sketch[]): Promise<AsyncDisposable & { readonly source: FileSource }> {
  const owned = new AsyncDisposableStack()
  const at = owned.use(await testSpool())
  const opened = await openStreamedContext(tarOf(files), { name: 'build context', spool: at.spool })
  assert.ok(opened.type === 'files')
  return { source: owned.use(opened.source), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const code = (name: string) => (error: unknown) => engineErrorOf(error)?.code === name

describe('findDockerfile()', () => {
  it('reads Dockerfile, or dockerfile where that is missing, or what it is told', async () => {
    await using at = await context([
      { path: 'Dockerfile', content: 'FROM a' },
      { path: 'dockerfile', content: 'FROM b' },
      { path: 'sub' },
      { path: 'sub/Other', content: 'FROM c' },
      { path: 'link', type: 'symlink', link: 'sub/Other' },
    ])
    assert.deepEqual(await findDockerfile(at.source), { name: 'Dockerfile', text: 'FROM a' })
    assert.deepEqual(await findDockerfile(at.source, ''), { name: 'Dockerfile', text: 'FROM a' })
    for (const path of ['sub/Other', './sub//Other', '/sub/Other', 'sub/../sub/Other']) {
      assert.deepEqual(await findDockerfile(at.source, path), { name: 'sub/Other', text: 'FROM c' })
    }
    assert.deepEqual(await findDockerfile(at.source, 'link'), { name: 'link', text: 'FROM c' })

    await using lower = await context([{ path: 'dockerfile', content: 'FROM b' }])
    assert.deepEqual(await findDockerfile(lower.source), { name: 'dockerfile', text: 'FROM b' })
    await assert.rejects(findDockerfile(lower.source, 'DOCKERFILE'), code('DOCKERFILE_NOT_FOUND'))
  })

  it('says what is missing in BuildKit’s words, and what is near', async () => {
    await using at = await context([
      { path: 'Dockerfile.dev', content: '' },
      { path: 'sub' },
      { path: 'sub/Dockerfil', content: '' },
    ])
    const message = async (path?: string): Promise<string> => {
      const error: unknown = await findDockerfile(at.source, path).catch((reason: unknown) => reason)
      assert.ok(isKind(error, 'not_found'))
      return (error as Error).message
    }
    assert.equal(
      await message(),
      'failed to read dockerfile: open Dockerfile: no such file or directory\nDid you mean "-f Dockerfile.dev"?',
    )
    assert.match(
      await message('sub/Dockerfile'),
      /open sub\/Dockerfile: .*\nDid you mean "-f sub\/Dockerfil"\?$/s,
    )
    assert.match(await message('x/y'), /There is no such file in build context; "-f" names another one\.$/)
  })

  it('refuses what is outside, no file, or too large', async () => {
    await using at = await context([
      { path: 'd' },
      { path: 'big', content: 'x'.repeat((4 << 20) + 1) },
      { path: 'out', type: 'symlink', link: '/etc/passwd' },
    ])
    for (const path of ['../Dockerfile', 'd/../../x', '..', '.']) {
      await assert.rejects(findDockerfile(at.source, path), code('DOCKERFILE_OUTSIDE'), path)
    }
    await assert.rejects(findDockerfile(at.source, 'd'), /d is a directory/)
    await assert.rejects(findDockerfile(at.source, 'big'), code('DOCKERFILE_UNREADABLE'))
    await assert.rejects(findDockerfile(at.source, 'out'), code('DOCKERFILE_NOT_FOUND'))
  })
})

describe('findIgnore()', () => {
  it('prefers the one of the Dockerfile, also to an empty text', async () => {
    await using at = await context([
      { path: '.dockerignore', content: 'all' },
      { path: 'sub' },
      { path: 'sub/D.dockerignore', content: '' },
    ])
    assert.deepEqual(await findIgnore(at.source, 'sub/D'), { file: 'sub/D.dockerignore', text: '' })
    assert.deepEqual(await findIgnore(at.source, 'Dockerfile'), { file: '.dockerignore', text: 'all' })
    assert.deepEqual(await findIgnore(at.source), { file: '.dockerignore', text: 'all' })
  })

  it('finds nothing where there is nothing', async () => {
    await using at = await context([{ path: 'f', content: '' }])
    assert.equal(await findIgnore(at.source, 'Dockerfile'), undefined)
  })
})

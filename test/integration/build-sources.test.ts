/** Where builds take files from, on real filesystems, with a real git and web servers on the loopback. */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { systemClock } from '#base/clock.ts'
import { type Digest, digestOf } from '#base/digest.ts'
import { engineErrorOf, isKind } from '#base/errors.ts'
import { IgnoreMatcher, parseIgnore } from '#build/dockerfile/ignore.ts'
import type { GitOrigin } from '#build/graph/operations.ts'
import { openDirectory } from '#build/sources/directory-source.ts'
import type { FileSource } from '#build/sources/file-source.ts'
import { type GitFetchOptions, openGit } from '#build/sources/git.ts'
import { GitCheckouts } from '#build/sources/git-checkouts.ts'
import { withoutIgnored } from '#build/sources/ignored-source.ts'
import { LayerDigests } from '#build/sources/layer-digests.ts'
import { openLayers } from '#build/sources/layers-source.ts'
import { openRemoteContext } from '#build/sources/remote-context.ts'
import { Spool } from '#build/sources/source-copies.ts'
import { contentOf, type Sketch, sketchOf, sourceSuite, tarOf } from '#build/sources/sources.suite.ts'
import { openStreamedContext } from '#build/sources/tar-context.ts'
import { serve } from '#build/sources/web.fixture.ts'
import { startStore, type Store } from './snapshots-store.ts'

interface World extends Store {
  readonly spool: Spool
  readonly checkouts: GitCheckouts
  /** What builds have on the disk at the moment. */
  spooled(): Promise<readonly string[]>
}

async function world(driver: 'erofs' | 'directory' = 'erofs'): Promise<World> {
  const store = await startStore(driver)
  const spool = new Spool(store)
  await spool.recover()
  const checkouts = new GitCheckouts({ ...store, clock: systemClock })
  return { ...store, spool, checkouts, spooled: () => readdir(join(store.dataRoot, 'build', 'contexts')) }
}

/** The source; the world goes with it, and nothing may be left of the source then. */
function within(at: World, source: FileSource): FileSource {
  return new Proxy(source, {
    get(target, key) {
      if (key === Symbol.asyncDispose) {
        return async () => {
          await target[Symbol.asyncDispose]()
          assert.deepEqual(await at.spooled(), [])
          await at[Symbol.asyncDispose]()
        }
      }
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function directoryOf(files: readonly Sketch[]): Promise<FileSource> {
  const at = await world()
  const path = join(at.root, 'context')
  await mkdir(path)
  await extract(files, path)
  return within(
    at,
    await openDirectory(path, { name: 'build context', clock: systemClock, copies: at.spool }),
  )
}

async function extract(files: readonly Sketch[], path: string): Promise<void> {
  const tar = Buffer.concat(await Array.fromAsync(tarOf(files)))
  execFileSync('tar', ['-x', '-p', '-C', path], { input: tar })
}

async function layersOf(files: readonly Sketch[], driver: 'erofs' | 'directory'): Promise<FileSource> {
  const at = await world(driver)
  const half = Math.floor(files.length / 2)
  const rest = files.slice(half).filter(({ type }) => type !== 'hardlink')
  const links = files.some(({ type }) => type === 'hardlink')
  const layers: Digest[] = []
  for (const part of links ? [files] : [files.slice(0, half), rest]) {
    layers.push((await at.snapshots.ingest(tarOf(part))).diffId)
  }
  const digests = new LayerDigests()
  return within(at, await openLayers(layers, 'stage build', { ...at, digests, clock: systemClock }))
}

sourceSuite({ name: 'a directory of the host', open: directoryOf })
for (const driver of ['erofs', 'directory'] as const) {
  sourceSuite({ name: `layers (${driver})`, open: (files) => layersOf(files, driver) })
}

describe('openLayers()', () => {
  it('shows whiteouts by what is not there, and keeps owners and extended attributes', async () => {
    await using at = await world()
    const xattrs = new Map([
      ['security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex')],
    ])
    const bottom = await at.snapshots.ingest(
      tarOf([
        { path: 'd' },
        { path: 'd/gone', content: '1' },
        { path: 'ping', content: 'program', uid: 7, gid: 8, mode: 0o755, xattrs },
      ]),
    )
    const top = await at.snapshots.ingest(tarOf([{ path: 'd' }, { path: 'd/.wh.gone', content: '' }]))
    const digests = new LayerDigests()
    const layers = [bottom.diffId, top.diffId]
    await using source = await openLayers(layers, 'stage build', { ...at, digests, clock: systemClock })

    assert.deepEqual(await sketchOf(source), ['d', 'ping=program'])
    const found = await source.find('ping')
    const [walked] = await Array.fromAsync(source.walk('ping'))
    for (const file of [found, walked]) {
      assert.deepEqual([file?.attributes.uid, file?.attributes.gid], [7, 8])
      assert.deepEqual(file?.attributes.xattrs?.get('security.capability')?.length, 20)
    }
    assert.deepEqual(source.layers, layers)
    assert.equal(await found?.digest(), digestOf('program'))
    assert.equal(digests.of(layers).get('ping'), digestOf('program'))
    assert.equal((await at.trees.stat(await source.root(), '/ping')).size, 7)
  })

  it('shows nothing of no layers', async () => {
    await using at = await world()
    const deps = { ...at, digests: new LayerDigests(), clock: systemClock }
    await using source = await openLayers([], 'scratch', deps)
    assert.deepEqual(await sketchOf(source), [])
    assert.equal(await source.find('x'), undefined)
  })

  it('does not lead out of the layers', async () => {
    await using at = await world()
    const { diffId } = await at.snapshots.ingest(
      tarOf([
        { path: 'etc', type: 'symlink', link: '/etc' },
        { path: 'up', type: 'symlink', link: '../../../../../../etc' },
      ]),
    )
    const deps = { ...at, digests: new LayerDigests(), clock: systemClock }
    await using source = await openLayers([diffId], 'stage build', deps)
    for (const path of ['etc/hostname', 'up/hostname', 'etc', 'up']) {
      assert.equal(await source.find(path).catch(() => undefined), undefined, path)
    }
    assert.deepEqual(await sketchOf(source, 'etc/hostname'), [])
  })
})

describe('root()', () => {
  const open = async (at: World, path: string, ...lines: readonly string[]): Promise<FileSource> => {
    const source = await openDirectory(path, { name: 'build context', clock: systemClock, copies: at.spool })
    const matcher = new IgnoreMatcher(parseIgnore(lines.join('\n')))
    return withoutIgnored(source, { matcher, file: '.dockerignore' }, at.spool)
  }

  it('is the directory itself when a process would see in it what we show', async () => {
    await using at = await world()
    await extract([{ path: 'a', content: '1' }], at.root)
    await chown(at.root, 0, 0)
    const path = join(at.root, 'c')
    await mkdir(path)
    await writeFile(join(path, 'a'), '1')
    await using source = await open(at, path, 'nothing')

    assert.equal((await source.root()).path, path)
  })

  it('is a copy without what is ignored, which goes with the source', async () => {
    await using at = await world()
    const path = join(at.root, 'c')
    await mkdir(path)
    await extract(
      [
        { path: 'a', content: '1', mode: 0o4755 },
        { path: 'secret', content: '2' },
      ],
      path,
    )
    {
      await using source = await open(at, path, 'secret')
      const root = await source.root()
      assert.notEqual(root.path, path)
      assert.deepEqual(await readdir(root.path), ['a'])
      assert.equal((await stat(join(root.path, 'a'))).mode & 0o7777, 0o4755)
      assert.equal(await source.root(), root)
    }
    assert.deepEqual(await at.spooled(), [])
  })

  it('is a copy that belongs to root when the files do not', async () => {
    await using at = await world()
    const path = join(at.root, 'c')
    await mkdir(path)
    await writeFile(join(path, 'a'), '1')
    await chown(join(path, 'a'), 1000, 1000)
    await using source = await open(at, path, 'nothing')

    const root = await source.root()
    const { uid, gid } = await stat(join(root.path, 'a'))
    assert.deepEqual([uid, gid], [0, 0])
    assert.equal((await stat(join(path, 'a'))).uid, 1000)
  })

  it('is a copy when a socket, a pipe or a mount would lead a process out of it', async () => {
    await using at = await world()
    for (const what of ['pipe', 'socket', 'mount'] as const) {
      const path = join(at.root, what)
      await mkdir(join(path, 'd'), { recursive: true })
      await using undo = new AsyncDisposableStack()
      if (what === 'pipe') execFileSync('mkfifo', [join(path, 'd/pipe')])
      if (what === 'socket') {
        const server = createServer().listen(join(path, 'd/socket'))
        await once(server, 'listening')
        undo.defer(() => void server.close())
      }
      if (what === 'mount') {
        execFileSync('mount', ['-t', 'tmpfs', 'none', join(path, 'd')])
        undo.defer(() => void execFileSync('umount', [join(path, 'd')]))
        await writeFile(join(path, 'd/f'), 'x')
      }
      {
        await using source = await open(at, path, 'nothing')
        const root = await source.root()
        assert.notEqual(root.path, path, what)
        assert.deepEqual(
          await readdir(join(root.path, 'd')),
          { pipe: ['pipe'], socket: [], mount: ['f'] }[what],
        )
      }
    }
    assert.deepEqual(await at.spooled(), [])
  })

  it('is an unpacked copy of a tar', async () => {
    await using at = await world()
    const context = await openStreamedContext(
      tarOf([
        { path: 'd' },
        { path: 'd/f', content: 'x', uid: 5 },
        { path: 'd/l', type: 'symlink', link: '/etc' },
      ]),
      { name: 'build context', spool: at.spool },
    )
    assert.ok(context.type === 'files')
    const { path } = await context.source.root()
    assert.equal(await readFile(join(path, 'd/f'), 'utf8'), 'x')
    assert.equal((await stat(join(path, 'd/f'))).uid, 0)
    await context.source[Symbol.asyncDispose]()
    assert.deepEqual(await at.spooled(), [])
  })

  it('leaves nothing after the daemon was killed, once it has started again', async () => {
    await using at = await world()
    const context = await openStreamedContext(tarOf([{ path: 'f', content: 'x' }]), {
      name: 'build context',
      spool: at.spool,
    })
    assert.ok(context.type === 'files')
    await context.source.root()
    assert.equal((await at.spooled()).length, 2)

    await new Spool(at).recover()

    assert.deepEqual(await at.spooled(), [])
  })
})

describe('openDirectory()', () => {
  it('never shows what is outside while a directory and a symlink change places (CVE-2018-15664)', async () => {
    await using at = await world()
    const path = join(at.root, 'context')
    const outside = join(at.root, 'outside')
    await mkdir(join(path, 'd', 'e'), { recursive: true })
    await mkdir(join(outside, 'e'), { recursive: true })
    for (const name of ['a', 'e/b']) {
      await writeFile(join(path, 'd', name), 'inside')
      await writeFile(join(outside, name), 'outside')
    }
    await symlink(outside, join(path, 'link'))
    // Two renames, over and over: for moments the path leads outside.
    const script = 'cd "$0"; while :; do mv -T d was; mv -T link d; mv -T d link; mv -T was d; done'
    const swapper = spawn('sh', ['-c', script, path], { stdio: 'ignore' })
    let read = 0
    let links = 0
    try {
      for (let round = 0; round < 400 || read === 0 || links === 0; round++) {
        const options = { name: 'build context', clock: systemClock, copies: at.spool }
        await using source = await openDirectory(path, options)
        for await (const file of source.walk('')) {
          if (file.attributes.path === 'd' && file.attributes.type === 'symlink') links++
          if (file.attributes.type !== 'file') continue
          const content = await contentOf(file).catch((error: unknown) => {
            assert.ok(isKind(error, 'data_loss'), String(error))
          })
          if (content !== undefined) read++
          assert.notEqual(content, 'outside')
        }
        const found = await source.find('d/e/b')
        assert.notEqual(await contentOf(found).catch(() => undefined), 'outside')
      }
    } finally {
      swapper.kill('SIGKILL')
      await new Promise((resolve) => swapper.once('exit', resolve))
    }
  })
})

describe('openStreamedContext()', () => {
  for (const program of ['xz', 'bzip2']) {
    const there = spawnSync(program, ['--version']).status === 0
    it(`takes an archive that ${program} has compressed`, { skip: !there && `no ${program}` }, async () => {
      await using at = await world()
      const tar = Buffer.concat(await Array.fromAsync(tarOf([{ path: 'f', content: 'x'.repeat(3_000_000) }])))
      const packed = execFileSync(program, ['-c'], { input: tar, maxBuffer: 1 << 26 })
      async function* stream(bytes: Buffer) {
        for (let i = 0; i < bytes.length; i += 100) yield bytes.subarray(i, i + 100)
      }
      const options = { name: 'build context', spool: at.spool }
      const context = await openStreamedContext(stream(packed), options)
      assert.ok(context.type === 'files')
      assert.equal((await contentOf(await context.source.find('f')))?.length, 3_000_000)
      await context.source[Symbol.asyncDispose]()

      await assert.rejects(
        openStreamedContext(stream(packed.subarray(0, packed.length - 20)), options),
        (error) => isKind(error, 'invalid_argument'),
      )
      assert.deepEqual(await at.spooled(), [])
    })
  }
})

const git = spawnSync('git', ['--version']).status === 0

/** A repository with the history that the tests speak of, and a web server that has it. */
async function repository(at: World) {
  const work = join(at.root, 'work')
  const bare = join(at.root, 'served', 'team', 'app.git')
  await mkdir(work)
  await mkdir(join(at.root, 'served', 'team'), { recursive: true })
  const run = (...args: readonly string[]): string =>
    execFileSync('git', ['-C', work, ...args], {
      encoding: 'utf8',
      timeout: 30_000,
      env: {
        PATH: process.env['PATH'],
        HOME: at.root,
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_AUTHOR_NAME: 'a',
        GIT_AUTHOR_EMAIL: 'a@b',
        GIT_COMMITTER_NAME: 'a',
        GIT_COMMITTER_EMAIL: 'a@b',
        GIT_AUTHOR_DATE: '1600000000 +0000',
        GIT_COMMITTER_DATE: '1600000000 +0000',
      },
    }).trim()
  const commit = async (files: readonly Sketch[], message: string): Promise<string> => {
    await extract(files, work)
    run('add', '-A')
    run('commit', '-q', '-m', message)
    return run('rev-parse', 'HEAD')
  }
  run('init', '-q', '-b', 'main')
  const first = await commit([{ path: 'Dockerfile', content: 'FROM scratch' }], 'first')
  run('tag', '-a', '-m', 'one', 'v1')
  run('branch', 'old')
  const second = await commit(
    [
      { path: 'docs' },
      { path: 'docs/guide', content: 'read me', mode: 0o600 },
      { path: 'docs/run', content: '#!/bin/sh', mode: 0o700 },
      { path: 'docs/up', type: 'symlink', link: '../../../../etc' },
      { path: 'out', type: 'symlink', link: '/etc' },
      { path: 'in', type: 'symlink', link: 'docs' },
    ],
    'second',
  )
  execFileSync('git', ['clone', '-q', '--bare', work, bare])
  const web = await gitServer(join(at.root, 'served'))
  return { first, second, run, commit, work, bare, web, url: `${web.url}/team/app.git` }
}

/** `git http-backend` as a web server calls it. */
function gitServer(root: string, check: (authorization: string | undefined) => boolean = () => true) {
  return serve((request, response) => {
    if (!check(request.headers.authorization)) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
      return
    }
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://x')
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: pathname,
        QUERY_STRING: searchParams.toString(),
        REQUEST_METHOD: request.method ?? '',
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
      },
    })
    request.pipe(child.stdin)
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('close', () => {
      const all = Buffer.concat(chunks)
      const end = all.indexOf('\r\n\r\n')
      for (const line of all.subarray(0, end).toString().split('\r\n')) {
        const [name = '', value = ''] = line.split(/: (.*)/)
        if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10)
        else response.setHeader(name, value)
      }
      response.end(all.subarray(end + 4))
    })
  })
}

/** The files as the only commit of a repository of this host. */
async function checkoutOf(files: readonly Sketch[]): Promise<FileSource> {
  const at = await world()
  const work = join(at.root, 'work')
  await mkdir(work)
  await extract(files, work)
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'init.defaultBranch=main']
  for (const args of [
    ['init', '-q'],
    ['add', '-A'],
    ['commit', '-q', '--allow-empty', '-m', 'all'],
  ]) {
    execFileSync('git', [...identity, '-C', work, ...args], { stdio: 'pipe' })
  }
  const wanted = {
    kind: 'git',
    remote: `file://${work}`,
    ref: undefined,
    directory: undefined,
    checksum: undefined,
    keepGitDirectory: false,
    submodules: false,
  } as const
  const deps = { ...at, environment: process.env, clock: systemClock, allowFiles: true }
  return within(at, (await openGit(wanted, deps)).source)
}

if (git) sourceSuite({ name: 'a git checkout', open: checkoutOf, isGit: true })

describe('openGit()', { skip: !git && 'no git' }, () => {
  const origin = (remote: string, rest: Partial<GitOrigin> = {}): GitOrigin => ({
    kind: 'git',
    remote,
    ref: undefined,
    directory: undefined,
    checksum: undefined,
    keepGitDirectory: false,
    submodules: true,
    ...rest,
  })
  const opener =
    (at: World, environment: Readonly<Record<string, string | undefined>> = process.env) =>
    (wanted: GitOrigin, options: GitFetchOptions & { readonly allowFiles?: boolean } = {}) =>
      openGit(wanted, { ...at, environment, clock: systemClock, allowFiles: options.allowFiles }, options)
  const files = [
    'Dockerfile=FROM scratch',
    'docs',
    'docs/guide=read me',
    'docs/run=#!/bin/sh',
    'docs/up -> ../../../../etc',
    'in -> docs',
    'out -> /etc',
  ]

  it('checks out the default branch, branches, tags and commits, one commit deep', async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    const open = opener(at)
    const cases: readonly (readonly [string | undefined, string])[] = [
      [undefined, repo.second],
      ['main', repo.second],
      ['refs/heads/main', repo.second],
      ['old', repo.first],
      ['v1', repo.first],
      ['refs/tags/v1', repo.first],
      [repo.first, repo.first],
      [repo.second, repo.second],
    ]
    for (const [ref, commit] of cases) {
      const { source, commit: found } = await open(origin(repo.url, { ref }))
      assert.equal(found, commit, `at ${ref}`)
      assert.deepEqual(
        await sketchOf(source),
        commit === repo.second ? files : files.slice(0, 1),
        `at ${ref}`,
      )
      await source[Symbol.asyncDispose]()
    }
    assert.deepEqual(await at.spooled(), [])
  })

  it('gives modes 0644 and 0755, times of the commit, and keeps .git only when it is asked to', async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    const { source } = await opener(at)(origin(repo.url, { keepGitDirectory: true }))
    await using _source = source
    const attributes = async (path: string) => {
      const file = await source.find(path)
      return [file?.attributes.mode, file?.attributes.uid, file?.attributes.mtime.seconds]
    }
    assert.deepEqual(await attributes('docs/guide'), [0o644, 0, 1_600_000_000])
    assert.deepEqual(await attributes('docs/run'), [0o755, 0, 1_600_000_000])
    assert.deepEqual(await attributes('docs'), [0o755, 0, 1_600_000_000])
    const { path } = await source.root()
    const log = execFileSync('git', ['-c', 'safe.directory=*', '-C', path, 'log', '--format=%H'], {
      encoding: 'utf8',
    })
    assert.equal(log, `${repo.second}\n`)
    assert.equal(await source.find('.git/hooks/pre-commit.sample'), undefined)
  })

  it('opens a directory of the repository, and none outside of it (CVE-2026-33748)', async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    const open = opener(at)
    for (const directory of ['docs', 'in', '/docs/']) {
      const { source } = await open(origin(repo.url, { directory }))
      assert.deepEqual(await sketchOf(source), ['guide=read me', 'run=#!/bin/sh', 'up -> ../../../../etc'])
      assert.equal(await source.find('up/hostname'), undefined)
      await source[Symbol.asyncDispose]()
    }
    for (const directory of ['out', 'docs/up', 'nowhere', 'Dockerfile']) {
      await assert.rejects(
        open(origin(repo.url, { directory })),
        (error) => isKind(error, 'not_found'),
        directory,
      )
    }
    for (const directory of ['..', 'docs/../..', '-x']) {
      await assert.rejects(open(origin(repo.url, { directory })), (error) =>
        isKind(error, 'invalid_argument'),
      )
    }
    assert.deepEqual(await at.spooled(), [])
  })

  it('refuses what git would take for an option, a program or a file (CVE-2022-39253, GHSA-hw3h-2gp9-cxpv)', async () => {
    await using at = await world()
    const canary = join(at.root, 'canary')
    const open = opener(at)
    for (const remote of [
      `ext::sh -c "touch ${canary}"`,
      'file:///etc',
      '/etc',
      '--upload-pack=touch',
      'ssh://-oProxyCommand=touch/x',
      'git@-oProxyCommand=touch:x',
      'https://host/x\n.git',
      'fd::17',
      'http://user:password@host/x.git',
    ]) {
      await assert.rejects(
        open(origin(remote)),
        (error) => engineErrorOf(error)?.code === 'GIT_ADDRESS_INVALID',
        remote,
      )
    }
    for (const ref of [
      '-x',
      '--upload-pack=touch',
      'a..b',
      'a b',
      'a:b',
      '@{u}',
      'a~1',
      '',
      '/a',
      'x.lock',
    ]) {
      await assert.rejects(
        open(origin('http://127.0.0.1:1/x.git', { ref })),
        (error) => engineErrorOf(error)?.code === 'GIT_ADDRESS_INVALID',
        ref,
      )
    }
    await assert.rejects(stat(canary))
    assert.deepEqual(await at.spooled(), [])
  })

  it('fetches submodules, but none from this host (CVE-2022-39253)', async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    const add = (url: string, path: string): string =>
      repo.run('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', url, path)
    // Not from the server: it is in this process, which waits for git.
    add(repo.bare, 'lib')
    repo.run('config', '-f', '.gitmodules', 'submodule.lib.url', repo.url)
    await repo.commit([], 'with a submodule')
    repo.run('push', '-q', repo.bare, 'main')
    const open = opener(at)
    {
      const { source } = await open(origin(repo.url))
      await using _source = source
      const found = await sketchOf(source)
      assert.ok(found.includes('lib/docs/guide=read me'))
      assert.ok(!found.some((line) => /(?:^|\/)\.git(?:$|=|\/)/.test(line)), found.join())
    }
    {
      const { source } = await open(origin(repo.url, { submodules: false }))
      await using _source = source
      assert.ok(!(await sketchOf(source)).some((line) => line.startsWith('lib/')))
    }
    add(repo.bare, 'local')
    await repo.commit([], 'with a local submodule')
    repo.run('push', '-q', repo.bare, 'main')
    for (const allowFiles of [false, true]) {
      await assert.rejects(
        open(origin(repo.url), { allowFiles }),
        (error) => engineErrorOf(error)?.code === 'GIT_FAILED' && /not allowed/.test(String(error)),
      )
    }
    assert.deepEqual(await at.spooled(), [])
  })

  it('fetches a commit once, and asks again where a name leads', async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    const open = opener(at)
    const packs = (): number => repo.web.asked.filter(({ method }) => method === 'POST').length
    const opened = async (ref: string | undefined, rest: Partial<GitOrigin> = {}): Promise<number> => {
      const before = packs()
      const { source } = await open(origin(repo.url, { ref, ...rest }))
      await using _source = source
      assert.ok((await sketchOf(source)).length > 0)
      return packs() - before
    }
    const first = await opened('main')
    const second = await opened('main')
    assert.ok(second < first, `${second} after ${first}`)
    assert.equal(await opened(repo.second, { directory: 'docs' }), 0)
    assert.ok((await opened('v1')) > second)

    const third = await repo.commit([{ path: 'new', content: 'x' }], 'third')
    repo.run('push', '-q', repo.bare, 'main')
    const { source, commit } = await open(origin(repo.url, { ref: 'main' }))
    assert.equal(commit, third)
    const [kept] = (await at.checkouts.store.list()).filter(({ inUse }) => inUse)
    assert.equal(await at.checkouts.describe(kept?.key ?? ''), `git checkout ${repo.url} ${third}`)
    assert.equal(await at.checkouts.store.remove(kept?.key ?? ''), false)
    assert.equal(await contentOf(await source.find('new')), 'x')
    await source[Symbol.asyncDispose]()
    assert.equal(await at.checkouts.store.remove(kept?.key ?? ''), true)
    assert.deepEqual(await at.spooled(), [])
  })

  it('runs no hook, filter or setting of this machine or of a repository', async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    const canary = join(at.root, 'canary')
    const script = `#!/bin/sh\ntouch ${canary}\n`
    const template = join(at.root, 'template', 'hooks')
    await mkdir(template, { recursive: true })
    await writeFile(join(template, 'post-checkout'), script, { mode: 0o755 })
    await writeFile(
      join(at.root, '.gitconfig'),
      `[filter "x"]\nsmudge = touch ${canary}\n[core]\nfsmonitor = touch ${canary}\n`,
    )
    await repo.commit(
      [
        { path: '.gitattributes', content: '* filter=x\n' },
        { path: 'hooks' },
        { path: 'hooks/post-checkout', content: script, mode: 0o755 },
      ],
      'hostile',
    )
    repo.run('push', '-q', repo.bare, 'main')
    const environment = {
      ...process.env,
      HOME: at.root,
      GIT_CONFIG_GLOBAL: join(at.root, '.gitconfig'),
      GIT_TEMPLATE_DIR: join(at.root, 'template'),
      GIT_SSH_COMMAND: `touch ${canary}`,
    }
    const { source } = await opener(at, environment)(origin(repo.url))
    await using _source = source

    assert.equal(await contentOf(await source.find('hooks/post-checkout')), script)
    await assert.rejects(stat(canary))
  })

  it('compares the commit with the checksum', async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    const open = opener(at)
    const tag = repo.run('rev-parse', 'v1')
    for (const checksum of [repo.first, repo.first.slice(0, 7), tag]) {
      const { source } = await open(origin(repo.url, { ref: 'v1', checksum }))
      await source[Symbol.asyncDispose]()
    }
    await assert.rejects(
      open(origin(repo.url, { ref: 'v1', checksum: repo.second })),
      /expected checksum to match [0-9a-f]{40}, got [0-9a-f]{40}/,
    )
    assert.deepEqual(await at.spooled(), [])
  })

  it('sends credentials as they are given, and asks nobody for others', async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    await using locked = await gitServer(join(at.root, 'served'), (value) => value === 'basic c2VjcmV0')
    const url = `${locked.url}/team/app.git`
    const open = opener(at)

    const { source } = await open(origin(url, { submodules: false }), { authorization: 'basic c2VjcmV0' })
    await source[Symbol.asyncDispose]()

    await assert.rejects(open(origin(url)), (error) => {
      assert.ok(!String(error).includes('c2VjcmV0'))
      assert.match(String(error), /Give a token with --secret id=GIT_AUTH_TOKEN/)
      return engineErrorOf(error)?.code === 'GIT_FAILED'
    })
  })

  it('fetches all where a server can only serve files', async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    execFileSync('git', ['-C', repo.bare, 'update-server-info'])
    await using dumb = await serve((request, response) => {
      readFile(join(at.root, 'served', new URL(request.url ?? '', 'http://x').pathname)).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      )
    })
    const open = opener(at)
    for (const ref of ['v1', repo.first]) {
      const { source, commit } = await open(origin(`${dumb.url}/team/app.git`, { ref }))
      assert.equal(commit, repo.first)
      await source[Symbol.asyncDispose]()
    }
  })

  it('says what is missing', async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    const open = opener(at)
    await assert.rejects(open(origin(repo.url, { ref: 'nowhere' })), /has no ref nowhere/)
    await assert.rejects(open(origin(repo.url, { ref: 'f'.repeat(40) })), (error) =>
      isKind(error, 'not_found'),
    )
    await assert.rejects(open(origin(repo.url, { ref: repo.first.slice(0, 12) })), /given in full/)
    await assert.rejects(open(origin(repo.url.replace('app', 'other'))), /not found/)
    const empty = opener(at, { PATH: at.root })
    await assert.rejects(empty(origin(repo.url)), /git is not installed.*apt-get install git/)
    assert.deepEqual(await at.spooled(), [])
  })

  it('stops when it is aborted, with all that it has started', async () => {
    await using at = await world()
    const controller = new AbortController()
    await using silent = await serve(() => controller.abort(new Error('enough')))
    await assert.rejects(opener(at)(origin(`${silent.url}/x.git`), { signal: controller.signal }), /enough/)
    assert.deepEqual(await at.spooled(), [])
  })
})

describe('openRemoteContext()', () => {
  const options = { name: 'build context', keepGitDirectory: false }

  it('takes an archive for the context and a text for the Dockerfile', async () => {
    await using at = await world()
    const tar = Buffer.concat(await Array.fromAsync(tarOf([{ path: 'f', content: 'x' }])))
    await using web = await serve(({ url }, response) =>
      response.end(url === '/c.tar.gz' ? gzipSync(tar) : 'FROM scratch\n'),
    )
    const deps = { ...at, environment: {}, clock: systemClock }
    const archive = await openRemoteContext(`${web.url}/c.tar.gz`, deps, options)
    assert.ok(archive.type === 'files')
    assert.deepEqual(await sketchOf(archive.source), ['f=x'])
    await archive.source[Symbol.asyncDispose]()
    const text = await openRemoteContext(`${web.url}/Dockerfile`, deps, options)
    assert.deepEqual(text, { type: 'dockerfile', text: 'FROM scratch\n' })
    assert.deepEqual(await at.spooled(), [])
  })

  it('takes the address of a repository for git', { skip: !git && 'no git' }, async () => {
    await using at = await world()
    const repo = await repository(at)
    await using _web = repo.web
    const deps = { ...at, environment: process.env, clock: systemClock }
    const context = await openRemoteContext(`${repo.url}#v1`, deps, options)
    assert.ok(context.type === 'files')
    await using source = context.source
    assert.deepEqual(await sketchOf(source), ['Dockerfile=FROM scratch'])
    await assert.rejects(openRemoteContext(`${repo.url}#main:../..`, deps, options), (error) =>
      isKind(error, 'invalid_argument'),
    )
  })
})

/** What comes out of builds, and caches that go from one engine to another, by berth's command line on the real kernel. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Digest, digestOf } from '#base/digest.ts'
import { type Index, type Manifest, mediaTypes } from '#oci/image-spec.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import type { Result } from '#test/support/daemon.ts'

const HOST = '127.0.0.1:5000'
const DOCKERFILE = `FROM busybox AS made
RUN echo one > /one && echo hard > /hard && ln /hard /link && mkdir /d && echo gone > /d/gone
RUN rm /d/gone /bin/wget && echo two >> /one
FROM made
COPY --chown=3:4 file /file
CMD ["cat", "/one"]
`

let api: EngineApi
let directory = ''

before(async () => {
  api = await EngineApi.start({ args: ['--registry-listen', HOST] })
  directory = mkdtempSync(join(tmpdir(), 'berth-build-outputs-'))
})
after(async () => {
  await api[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

function context(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(directory, name)
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true })
    writeFileSync(join(path, file), text)
  }
  return path
}

function ok({ code, stdout, stderr }: Result): string {
  assert.equal(code, 0, stderr + stdout)
  return stdout
}

/** Everything that the build has said. */
function build(...args: string[]): string {
  const result = api.daemon.berth('build', '--progress', 'plain', ...args)
  ok(result)
  return result.stderr + result.stdout
}

function cachedSteps(said: string): number {
  return said.match(/^#\d+ CACHED$/gm)?.length ?? 0
}

function fromRegistry(path: string): Buffer {
  const accept = `Accept: ${mediaTypes.ociIndex}, ${mediaTypes.ociManifest}`
  return Buffer.from(ok(api.daemon.inside('curl', '-s', '-H', accept, `http://${HOST}${path}`)))
}

const document = <T>(path: string): T => JSON.parse(fromRegistry(path).toString()) as T

describe('what comes out of a build', () => {
  let app = ''
  before(() => {
    app = context('app', { Dockerfile: DOCKERFILE, file: 'text' })
  })

  it('is an image with all its names, an id file and metadata', async () => {
    const [iid, metadata] = [join(directory, 'iid'), join(directory, 'metadata')]
    build('-t', 'app:1', '-t', 'app:2', '--iidfile', iid, '--metadata-file', metadata, app)
    const id = readFileSync(iid, 'utf8')
    const images = (await api.call('GET', '/images/json')).json<{ Id: string; RepoTags: string[] }[]>()
    assert.deepEqual(images.find(({ Id }) => Id === id)?.RepoTags.toSorted(), ['app:1', 'app:2'])
    const known = JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, unknown>
    assert.equal(known['containerimage.config.digest'], id)
    assert.equal(ok(api.daemon.berth('run', '--rm', 'app:1')), 'one\ntwo\n')
  })

  it('is a directory, whose files are those of the image', () => {
    const out = join(directory, 'out')
    build('-o', out, app)
    assert.equal(readFileSync(join(out, 'file'), 'utf8'), 'text')
    assert.equal(statSync(join(out, 'hard')).ino, statSync(join(out, 'link')).ino)
    assert.ok(!readdirSync(join(out, 'bin')).includes('wget'))
  })

  it('is a tar, of which each platform has a directory when there are several', () => {
    const files = context('platforms', { Dockerfile: 'FROM scratch\nCOPY file /\n', file: 'text' })
    const tar = join(directory, 'platforms.tar')
    build('--platform', 'linux/amd64,linux/s390x', '-o', `type=tar,dest=${tar}`, files)
    const names = execFileSync('tar', ['tf', tar], { encoding: 'utf8' }).trim().split('\n')
    assert.deepEqual(names.toSorted(), [
      'linux_amd64/',
      'linux_amd64/file',
      'linux_s390x/',
      'linux_s390x/file',
    ])
  })

  it('is an archive that can be loaded, and a layout that can be built from', () => {
    const [tar, layout] = [join(directory, 'app.tar'), join(directory, 'layout')]
    build('-t', 'archived:1', '-o', `type=oci,dest=${tar}`, app)
    mkdirSync(layout)
    execFileSync('tar', ['xf', tar, '-C', layout])
    const from = context('from-layout', { Dockerfile: 'FROM base\nRUN cat /one\n' })
    const said = build('--no-cache', '--build-context', `base=oci-layout://${layout}`, from)
    assert.match(said, /\d two$/m)
    ok(api.daemon.berth('rmi', '-f', 'archived:1'))
    assert.match(ok(api.daemon.berth('load', '-i', tar)), /Loaded image: archived:1/)
  })

  it('is one layer on its base with --squash, and does the same', () => {
    build('--squash', '-t', 'squashed', app)
    const layers = (name: string): string[] =>
      JSON.parse(ok(api.daemon.berth('inspect', '-f', '{{json .RootFS.Layers}}', name))) as string[]
    assert.equal(layers('squashed').length, layers('busybox').length + 1)
    const files =
      'ls -ln /file /link; cat /one; test -e /bin/wget || test -e /d/gone || echo gone; stat -c %h /hard'
    const said = (image: string): string => ok(api.daemon.berth('run', '--rm', image, 'sh', '-c', files))
    assert.match(said('squashed'), /gone\n2\n$/)
    assert.equal(said('squashed').replaceAll(/\d+:\d+/g, ''), said('app:1').replaceAll(/\d+:\d+/g, ''))
  })

  it('is the same image, byte by byte, when times are rewritten', () => {
    const image = (): string => {
      build(
        '--no-cache',
        '--build-arg',
        'SOURCE_DATE_EPOCH=1700000000',
        '-o',
        'type=image,rewrite-timestamp=true',
        '-t',
        'same',
        app,
      )
      return ok(api.daemon.berth('images', '-q', '--no-trunc', 'same')).trim()
    }
    assert.equal(image(), image())
  })

  it('is pushed with annotations, and with what is stated about how it was made', async () => {
    const name = `${HOST}/team/stated:1`
    build(
      '--push',
      '-t',
      name,
      '--provenance',
      'mode=max',
      '--annotation',
      'index:a=i',
      '--annotation',
      'b=m',
      app,
    )
    const index = document<Index>('/v2/team/stated/manifests/1')
    assert.deepEqual(index.annotations, { a: 'i' })
    const [image, statement] = index.manifests
    const manifest = document<Manifest>(`/v2/team/stated/manifests/${image?.digest}`)
    assert.deepEqual(manifest.annotations, { b: 'm' })
    assert.ok(manifest.layers.every(({ mediaType }) => mediaType === mediaTypes.ociLayerGzip))
    assert.equal(statement?.annotations?.['vnd.docker.reference.digest'], image?.digest)
    const listed = (await api.call('GET', `/images/${name}/attestations?statement=1`)).json<
      { PredicateType: string; Statement: { subject: { digest: { sha256: string } }[] } }[]
    >()
    assert.deepEqual(
      listed.map(({ PredicateType }) => PredicateType),
      ['https://slsa.dev/provenance/v1'],
    )
    assert.equal(`sha256:${listed[0]?.Statement.subject[0]?.digest.sha256}`, image?.digest)
  })

  it('carries what a scanner has found in it', async () => {
    const script =
      'ls $BUILDKIT_SCAN_SOURCE/one && printf "{\\"files\\":%d}" $(ls $BUILDKIT_SCAN_SOURCE | wc -l) > $BUILDKIT_SCAN_DESTINATION/a.spdx.json'
    const scanner = context('scanner', {
      Dockerfile: `FROM busybox\nENTRYPOINT ["sh", "-c", ${JSON.stringify(script)}]\n`,
    })
    build('-t', 'scanner', scanner)
    build('-t', 'scanned', '--sbom', 'generator=scanner', app)
    const found = (await api.call('GET', '/images/scanned/attestations?statement=1')).json<
      { PredicateType: string; Statement: { predicate: { files: number } } }[]
    >()
    assert.equal(found[0]?.PredicateType, 'https://spdx.dev/Document')
    assert.ok((found[0]?.Statement.predicate.files ?? 0) > 5)
    const nothing = context('no-scanner', { Dockerfile: 'FROM busybox\nENTRYPOINT ["true"]\n' })
    build('-t', 'no-scanner', nothing)
    const failed = api.daemon.berth('build', '-t', 'unscanned', '--sbom', 'generator=no-scanner', app)
    assert.match(failed.stderr, /SBOM scanner no-scanner: it has left no \*\.spdx\.json/)
    assert.notEqual(api.daemon.berth('inspect', 'unscanned').code, 0)
  })

  it('has no secret in it, nor has anything that is kept or told of it', () => {
    const secret = `berth-sentinel-${process.pid}-${Date.now()}`
    const files = context('secret', {
      Dockerfile:
        'FROM busybox\nRUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S test -n "$S" && cat /run/secrets/s | md5sum\n',
      s: secret,
      '.dockerignore': 's\n',
    })
    const tar = join(directory, 'secret.tar')
    const said = build(
      '--secret',
      `id=s,src=${join(files, 's')}`,
      '--provenance',
      'mode=max',
      '-o',
      `type=oci,dest=${tar}`,
      files,
    )
    assert.ok(!said.includes(secret))
    assert.ok(!readFileSync(tar).includes(secret))
    const { dataRoot, execRoot } = api.daemon.marks
    for (const root of [dataRoot, execRoot]) {
      const found = api.daemon.inside('grep', '-rlF', '--devices=skip', secret, root)
      assert.equal(found.stdout, '')
    }
    assert.ok(!ok(api.daemon.berth('builder', 'du', '--verbose')).includes(secret))
  })
})

describe('a build cache', () => {
  const layers = 'FROM busybox AS a\nRUN echo a > /a\nFROM busybox\nCOPY --from=a /a /\nRUN echo b > /b\n'

  function forget(): void {
    ok(api.daemon.berth('rmi', '-f', 'cached'))
    ok(api.daemon.berth('builder', 'prune', '-af'))
  }

  it('comes from a directory', () => {
    const files = context('cache-local', { Dockerfile: layers })
    const cache = join(directory, 'cache')
    build('-t', 'cached', '--cache-to', `type=local,dest=${cache}`, files)
    forget()
    // The step of the other stage is not in a cache of mode min, and is not needed.
    assert.equal(cachedSteps(build('-t', 'cached', '--cache-from', `type=local,src=${cache}`, files)), 4)
    const again = build('-t', 'cached', '--no-cache', '--cache-from', `type=local,src=${cache}`, files)
    assert.equal(cachedSteps(again), 1)
  })

  it('comes from a registry, with all stages in mode max', () => {
    const ref = `${HOST}/cache/max`
    const files = context('cache-registry', { Dockerfile: `${layers}# other\n` })
    build('-t', 'cached', '--cache-to', `type=registry,ref=${ref},mode=max`, files)
    forget()
    assert.equal(cachedSteps(build('-t', 'cached', '--target', 'a', '--cache-from', ref, files)), 2)
  })

  it('comes with an image that was pushed', () => {
    const name = `${HOST}/cache/inline:1`
    const files = context('cache-inline', { Dockerfile: `${layers}LABEL own=1\n` })
    build('-t', name, '-t', `${HOST}/cache/inline:2`, '--push', '--cache-to', 'type=inline', files)
    ok(api.daemon.berth('rmi', '-f', name, `${HOST}/cache/inline:2`))
    ok(api.daemon.berth('builder', 'prune', '-af'))
    const said = build('-t', 'cached', '--cache-from', name, files)
    assert.equal(cachedSteps(said), 4, said)
    assert.equal(ok(api.daemon.berth('run', '--rm', 'cached', 'cat', '/a', '/b')), 'a\nb\n')
  })

  it('that is not there is told, and the build goes on', () => {
    const files = context('cache-missing', { Dockerfile: 'FROM busybox\nRUN true\n' })
    const missing = join(directory, 'nothing')
    const said = build(
      '-t',
      'cached',
      '--cache-from',
      `${HOST}/no/cache`,
      '--cache-from',
      `type=local,src=${missing}`,
      files,
    )
    assert.equal(said.match(/importing cache from/g)?.length, 2)
    assert.match(said, /ERROR: .*no\/cache/)
  })

  it('of somebody else is believed by nobody who did not ask for it', () => {
    const files = context('cache-poison', { Dockerfile: 'FROM busybox\nRUN echo honest > /x\n' })
    const cache = join(directory, 'poison')
    build('-t', 'cached', '--cache-to', `type=local,dest=${cache}`, files)
    poison(cache)
    forget()
    build('-t', 'cached', '--cache-from', `type=local,src=${cache}`, files)
    assert.equal(ok(api.daemon.berth('run', '--rm', 'cached', 'ls', '/x')), '/x\n')
    // Its layer was not what the records promised, and nothing of it has stayed.
    assert.equal(ok(api.daemon.berth('run', '--rm', 'cached', 'cat', '/x')), 'honest\n')
    build('-t', 'cached', files)
    assert.equal(ok(api.daemon.berth('run', '--rm', 'cached', 'cat', '/x')), 'honest\n')
  })

  /** Puts other bytes in the place of the layers. */
  function poison(cache: string): void {
    const blobs = join(cache, 'blobs/sha256')
    for (const name of readdirSync(blobs)) {
      const bytes = readFileSync(join(blobs, name))
      const at = bytes.indexOf('honest')
      if (at === -1 || bytes[0] === 0x7b) continue
      bytes.write('poison', at)
      writeFileSync(join(blobs, name), bytes)
      const actual: Digest = digestOf(bytes)
      assert.notEqual(actual, `sha256:${name}`)
    }
  }
})

it('nothing is left of builds but images and what the cache has', async () => {
  ok(api.daemon.berth('builder', 'prune', '-af'))
  await api.daemon.assertNoLeaks()
  const { text } = await api.call('POST', '/berth/fsck?repair=0')
  assert.ok(!text.includes('"finding"'), text)
})

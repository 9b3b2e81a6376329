/** Docker's own clients of BuildKit's protocol (`docker build` with buildx, Compose) against a real daemon. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Result } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { missingPeers, Peers } from '#test/support/peers.ts'

const HOST = 'tcp://127.0.0.1:2375'
const REGISTRY = '127.0.0.1:5000'

describe('clients of BuildKit', { skip: missingPeers() }, () => {
  let api: EngineApi
  let peers: Peers
  before(async () => {
    api = await EngineApi.start({ args: ['--host', HOST, '--registry-listen', REGISTRY] })
    peers = new Peers(api.daemon)
    write('app/Dockerfile', 'FROM busybox\nCOPY . /app\nRUN cat /app/hello > /made\nCMD ["cat", "/made"]\n')
    write('app/hello', 'hello\n')
    write('app/.dockerignore', 'secret*\n')
    write('app/secret', 'not to be sent')
  })
  after(async () => {
    await peers[Symbol.asyncDispose]()
    await api[Symbol.asyncDispose]()
  })

  /** Its directory as the clients see it. */
  function write(path: string, text: string): string {
    const file = join(peers.here, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    return join(peers.there, dirname(path))
  }

  function docker(...args: readonly string[]): Result {
    return peers.run('env', `DOCKER_HOST=${HOST}`, 'docker', ...args)
  }

  function ok({ code, stdout, stderr }: Result): string {
    assert.equal(code, 0, stdout + stderr)
    return stdout + stderr
  }

  const inside = (path: string): string => join(peers.there, path)
  const made = (path: string): string => readFileSync(join(peers.here, path), 'utf8')

  async function output(image: string, ...cmd: string[]): Promise<string> {
    return (await api.run({ Image: image, ...(cmd.length === 0 ? {} : { Cmd: cmd }) })).out
  }

  it('build an image, show what goes on, and find it in the cache the next time', async () => {
    const said = ok(docker('build', '--progress', 'plain', '-t', 'app:1', inside('app')))
    assert.match(said, /\[internal\] load build definition from Dockerfile/)
    assert.match(said, /transferring context: /)
    assert.match(said, /\[3\/3\] RUN cat \/app\/hello > \/made/)
    assert.equal(await output('app:1'), 'hello\n')
    assert.equal(await output('app:1', 'ls', '-A', '/app'), '.dockerignore\nDockerfile\nhello\n')
    const again = ok(docker('build', '--progress', 'plain', '-t', 'app:2', inside('app')))
    assert.equal(again.match(/^#\d+ CACHED$/gm)?.length, 3)
  })

  it('print the id, and write it and what else is known into files', () => {
    const id = ok(docker('build', '-q', inside('app'))).trim()
    assert.match(id, /^sha256:[0-9a-f]{64}$/)
    const files = ['--iidfile', inside('iid'), '--metadata-file', inside('metadata')]
    ok(docker('build', ...files, '-t', 'app:3', inside('app')))
    assert.equal(made('iid'), id)
    const metadata = JSON.parse(made('metadata')) as Record<string, unknown>
    assert.equal(metadata['containerimage.config.digest'], id)
    assert.equal(metadata['image.name'], 'app:3')
  })

  it('say where a RUN has failed, and exit with its failure', () => {
    const directory = write('fails/Dockerfile', 'FROM busybox\nRUN echo said; exit 7\n')
    const { code, stderr } = docker('build', '--progress', 'plain', directory)
    assert.equal(code, 1)
    assert.match(stderr, /Dockerfile:2\n-+\n {3}1 \| {5}FROM busybox\n {3}2 \| >>> RUN echo said; exit 7\n/)
    assert.match(
      stderr,
      /failed to solve: process "\/bin\/sh -c echo said; exit 7" did not complete successfully: exit code: 7\n$/,
    )
  })

  it('show the line of the Dockerfile that is wrong', () => {
    const directory = write('wrong/Dockerfile', 'FROM busybox\nRUNN x\n')
    const { code, stderr } = docker('build', '--progress', 'plain', directory)
    assert.equal(code, 1)
    assert.match(stderr, /Dockerfile:2\n-+\n {3}1 \| {5}FROM busybox\n {3}2 \| >>> RUNN x\n/)
  })

  it('show where a large Dockerfile has failed', () => {
    const comments = `# ${'x'.repeat(97)}\n`
    for (const kilobytes of [60, 400]) {
      const directory = write(
        'large/Dockerfile',
        `FROM busybox\n${comments.repeat(kilobytes * 10)}RUN exit 7\n`,
      )
      const { code, stderr } = docker('build', '--progress', 'plain', directory)
      assert.equal(code, 1, stderr)
      assert.match(stderr, / \| >>> RUN exit 7\n/)
    }
  })

  it('take arguments, labels, targets, hosts, secrets and named contexts', async () => {
    const text = `FROM busybox AS base
ARG WHO
RUN --mount=type=secret,id=token echo "$WHO $(cat /run/secrets/token | wc -c)" > /said; grep some.host /etc/hosts >> /said
FROM base AS wanted
COPY --from=more /extra /extra
FROM base
RUN false
`
    const directory = write('options/Dockerfile', text)
    const more = write('more/extra', 'extra\n')
    write('token', 'hidden')
    const options = ['--target', 'wanted', '--build-arg', 'WHO=me', '--label', 'l=v']
    const given = ['--secret', `id=token,src=${inside('token')}`, '--add-host', 'some.host:10.1.2.3']
    ok(docker('build', '-t', 'options', ...options, ...given, '--build-context', `more=${more}`, directory))
    assert.match(
      await output('options', 'cat', '/said', '/extra'),
      /^me 6\n10\.1\.2\.3\s+some\.host\nextra\n$/,
    )
    const { Config } = (await api.call('GET', '/images/options/json')).json<{ Config: { Labels: object } }>()
    assert.deepEqual(Config.Labels, { l: 'v' })
  })

  it('build from stdin: a Dockerfile, and an archive', async () => {
    const shell = (line: string): Result => peers.run('sh', '-c', `export DOCKER_HOST=${HOST}; ${line}`)
    ok(shell("printf 'FROM busybox\\nRUN echo stdin > /from\\n' | docker build -t stdin -"))
    assert.equal(await output('stdin', 'cat', '/from'), 'stdin\n')
    ok(shell(`tar -C ${inside('app')} -cz . | docker build -t archive -`))
    assert.equal(await output('archive'), 'hello\n')
    ok(shell(`printf 'FROM busybox\\nCOPY hello /h\\n' | docker build -t other -f - ${inside('app')}`))
    assert.equal(await output('other', 'cat', '/h'), 'hello\n')
  })

  it('write files, and archives', () => {
    ok(docker('build', '-o', inside('out'), inside('app')))
    assert.equal(made('out/made'), 'hello\n')
    assert.ok(readdirSync(join(peers.here, 'out/bin')).length > 10)
    for (const type of ['tar', 'oci', 'docker']) {
      ok(docker('build', '-o', `type=${type},dest=${inside(`${type}.tar`)}`, inside('app')))
    }
    assert.match(ok(peers.run('tar', 'tf', inside('tar.tar'))), /^made$/m)
    assert.match(ok(peers.run('tar', 'tf', inside('oci.tar'))), /^index\.json$/m)
    ok(docker('load', '-i', inside('docker.tar')))
  })

  it('build for several platforms, and push', () => {
    const directory = write('platforms/Dockerfile', 'FROM scratch\nARG TARGETARCH\nCOPY file /$TARGETARCH\n')
    write('platforms/file', 'x')
    const name = `${REGISTRY}/platforms:1`
    ok(docker('build', '--platform', 'linux/amd64,linux/arm64', '--push', '-t', name, directory))
    const index = JSON.parse(ok(docker('buildx', 'imagetools', 'inspect', '--raw', name))) as {
      manifests: { platform: { architecture: string } }[]
    }
    const found = index.manifests.map(({ platform }) => platform.architecture)
    assert.deepEqual(new Set(found), new Set(['amd64', 'arm64', 'unknown']))
  })

  it('take a cache to a registry, and from there', () => {
    const ref = `type=registry,ref=${REGISTRY}/cache:1`
    ok(docker('build', '--cache-to', `${ref},mode=max`, inside('app')))
    assert.match(
      ok(docker('build', '--progress', 'plain', '--cache-from', ref, inside('app'))),
      /importing cache from 127\.0\.0\.1:5000\/cache:1/,
    )
  })

  it('ask what a Dockerfile has', () => {
    const directory = write('asked/Dockerfile', 'FROM busybox AS first\nARG NAME=value\nrun true\nRUN true\n')
    const check = docker('build', '--check', directory)
    assert.equal(check.code, 1)
    assert.match(check.stdout, /WARNING: ConsistentInstructionCasing/)
    assert.match(ok(docker('build', '--call', 'targets', directory)), /first/)
    assert.match(ok(docker('build', '--call', 'outline', directory)), /NAME\s+value/)
  })

  it('look at the builder and its cache', () => {
    assert.match(ok(docker('buildx', 'inspect')), /BuildKit version:\s+\S+/)
    assert.match(ok(docker('buildx', 'du')), /Total:/)
    assert.match(ok(docker('buildx', 'prune', '-f', '--all')), /Total:/)
  })

  it('build the services of a project', async () => {
    const services =
      'services:\n  a:\n    image: service-a\n    build: ../app\n  b:\n    image: service-b\n    build: ../app\n'
    const directory = write('project/compose.yaml', services)
    ok(docker('compose', '-f', join(directory, 'compose.yaml'), 'build'))
    assert.equal(await output('service-a'), 'hello\n')
    assert.equal(await output('service-b'), 'hello\n')
  })
})

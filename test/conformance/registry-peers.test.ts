/** Our registry with other people's programs: skopeo, umoci, podman, buildah and Docker's own engine. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Index, type Manifest, mediaTypes } from '#oci/image-spec.ts'
import { hostPlatform } from '#oci/platform.ts'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import type { Result } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { missingPeers, Peers } from '#test/support/peers.ts'
import { RegistryContents } from '#test/support/registry-images.ts'
import { RegistryPeer } from '#test/support/registry-peer.ts'

const HOST = '127.0.0.1:5000'
const PLAIN = '--tls-verify=false'
const OTHER = hostPlatform().architecture === 'arm64' ? 'amd64' : 'arm64'

describe('our registry, with the programs of others', { skip: missingPeers() }, () => {
  const stack = new AsyncDisposableStack()
  let api: EngineApi
  let peers: Peers
  before(async () => {
    api = stack.use(await EngineApi.start())
    stack.defer(() => api.daemon.removeAll())
    peers = stack.use(new Peers(api.daemon))
    stack.use(await RegistryPeer.start('berth', api.daemon, 5000, { accounts: { bob: 's3cret' } }))
    await writeLayout(join(peers.here, 'layout'))
    const login = ['login', '-u', 'bob', '-p', 's3cret', HOST]
    good(api.daemon.inside('env', `DOCKER_CONFIG=${api.daemon.root}`, ...berth(...login)))
  })
  after(() => stack.disposeAsync())

  const berth = (...args: readonly string[]): string[] => [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    join(import.meta.dirname, '../../src/bin/berth.ts'),
    '-H',
    api.daemon.host,
    ...args,
  ]
  /** Our engine, as somebody who is logged in. */
  const ours = (...args: readonly string[]): string =>
    good(api.daemon.inside('env', `DOCKER_CONFIG=${api.daemon.root}`, ...berth(...args)))
  const theirs = (...argv: readonly string[]): string => good(peers.run(...argv))
  /** Runs what our engine has to pull. */
  const runs = (image: string, ...command: readonly string[]): string =>
    ours('run', '--rm', '--network', 'none', '--quiet', image, ...command)
  const digest = (image: string): string =>
    theirs('skopeo', 'inspect', PLAIN, '--no-tags', '--format', '{{.Digest}}', `docker://${image}`).trim()

  it('skopeo logs in, and copies a layout in and out as it is', () => {
    assert.notEqual(peers.run('skopeo', 'login', PLAIN, '-u', 'bob', '-p', 'wrong', HOST).code, 0)
    assert.notEqual(
      peers.run('skopeo', 'copy', '--dest-tls-verify=false', from('layout'), to('skopeo/layout:1')).code,
      0,
    )
    theirs('skopeo', 'login', PLAIN, '-u', 'bob', '-p', 's3cret', HOST)
    const exact = ['skopeo', 'copy', '--all', '--preserve-digests']
    theirs(...exact, '--dest-tls-verify=false', from('layout'), to('skopeo/layout:1'))
    theirs(...exact, '--src-tls-verify=false', to('skopeo/layout:1'), from('back'))
    const blobs = (name: string): string[] => readdirSync(join(peers.here, name, 'blobs/sha256')).toSorted()
    assert.deepEqual(blobs('back'), blobs('layout'))
    assert.equal(index('back').manifests[0]?.digest, index('layout').manifests[0]?.digest)
    assert.equal(runs(`${HOST}/skopeo/layout:1`), `for ${hostPlatform().architecture}\n`)
    const tags = theirs('skopeo', 'list-tags', PLAIN, to('skopeo/layout'))
    assert.deepEqual((JSON.parse(tags) as { Tags: string[] }).Tags, ['1'])
  })

  it('umoci unpacks what skopeo has brought', () => {
    theirs('skopeo', 'copy', '--src-tls-verify=false', to('skopeo/layout:1'), from('one'))
    theirs('umoci', 'unpack', '--image', `${peers.there}/one:1`, `${peers.there}/bundle`)
    const rootfs = join(peers.here, 'bundle/rootfs')
    assert.equal(readFileSync(join(rootfs, 'for'), 'utf8'), `for ${hostPlatform().architecture}\n`)
    assert.deepEqual(readdirSync(join(rootfs, 'var')), ['www'])
  })

  it('skopeo copies in what our engine has saved', () => {
    const archive = join(peers.here, 'saved.tar')
    ours('save', '-o', archive, 'busybox')
    const saved = `docker-archive:${peers.there}/saved.tar`
    theirs('skopeo', 'copy', '--dest-tls-verify=false', saved, to('skopeo/archive:1'))
    assert.equal(runs(`${HOST}/skopeo/archive:1`, 'echo', 'it runs'), 'it runs\n')
  })

  it('skopeo makes layers of zstd, which our engine runs and podman too', () => {
    const zstd = ['--dest-compress-format', 'zstd', '--dest-force-compress-format']
    theirs('skopeo', 'copy', '--dest-tls-verify=false', ...zstd, from('one'), to('skopeo/zstd:1'))
    const raw = theirs('skopeo', 'inspect', PLAIN, '--raw', to('skopeo/zstd:1'))
    const { layers } = JSON.parse(raw) as Manifest
    for (const { mediaType } of layers) assert.equal(mediaType, mediaTypes.ociLayerZstd)
    ours('system', 'prune', '-af')
    assert.equal(runs(`${HOST}/skopeo/zstd:1`), `for ${hostPlatform().architecture}\n`)
    assert.equal(podmanRuns('skopeo/zstd:1'), `for ${hostPlatform().architecture}\n`)
  })

  it('podman logs in, pulls, runs and pushes', () => {
    const podman = (...args: readonly string[]): string => theirs('podman', ...peers.storage, ...args)
    podman('logout', '--all')
    assert.notEqual(peers.run('podman', ...peers.storage, 'pull', PLAIN, `${HOST}/skopeo/layout:1`).code, 0)
    podman('login', PLAIN, '-u', 'bob', '-p', 's3cret', HOST)
    podman('pull', PLAIN, `${HOST}/skopeo/layout:1`)
    assert.equal(podmanRuns('skopeo/layout:1'), `for ${hostPlatform().architecture}\n`)
    podman('push', PLAIN, `${HOST}/skopeo/layout:1`, `${HOST}/podman/pushed:1`)
    assert.equal(runs(`${HOST}/podman/pushed:1`), `for ${hostPlatform().architecture}\n`)
    assert.match(podman('search', PLAIN, '--format', '{{.Name}}', `${HOST}/pushed`), /podman\/pushed/)
  })

  it('buildah builds on an image of ours, and pushes', () => {
    const buildah = (...args: readonly string[]): string => theirs('buildah', ...peers.storage, ...args)
    const container = buildah('from', PLAIN, `${HOST}/skopeo/layout:1`).trim()
    writeFileSync(join(peers.here, 'added'), 'by buildah\n')
    buildah('copy', container, `${peers.there}/added`, '/added')
    buildah('config', '--cmd', 'cat /added', container)
    buildah('commit', '--quiet', container, 'built')
    buildah('push', PLAIN, '--digestfile', `${peers.there}/digest`, 'built', to('buildah/built:1'))
    assert.equal(digest(`${HOST}/buildah/built:1`), readFileSync(join(peers.here, 'digest'), 'utf8').trim())
    assert.equal(runs(`${HOST}/buildah/built:1`), 'by buildah\n')
  })

  it("Docker's engine logs in, pulls, mounts and pushes", async () => {
    const docker = async (...args: readonly string[]): Promise<string> => good(await peers.docker(...args))
    assert.match((await peers.docker('login', '-u', 'bob', '-p', 'wrong', HOST)).stderr, /unauthorized|401/)
    await docker('login', '-u', 'bob', '-p', 's3cret', HOST)
    const pulled = await docker('pull', `${HOST}/skopeo/layout:1`)
    assert.match(pulled, /Status: Downloaded newer image for 127\.0\.0\.1:5000\/skopeo\/layout:1\n/)
    assert.match(pulled, new RegExp(`Digest: ${index('layout').manifests[0]?.digest}\n`))
    await docker('tag', `${HOST}/skopeo/layout:1`, `${HOST}/docker/pushed:1`)
    assert.match(await docker('push', `${HOST}/docker/pushed:1`), /: Mounted from skopeo\/layout\n/)
    assert.match(await docker('push', `${HOST}/docker/pushed:1`), /: Layer already exists\n/)
    assert.equal(runs(`${HOST}/docker/pushed:1`), `for ${hostPlatform().architecture}\n`)
    assert.match(
      (await peers.docker('pull', `${HOST}/skopeo/layout:none`)).stderr,
      /manifest for 127\.0\.0\.1:5000\/skopeo\/layout:none not found: manifest unknown: manifest unknown\n/,
    )
  })

  it("Docker's tools read, write and copy indexes", async () => {
    const docker = async (...args: readonly string[]): Promise<string> => good(await peers.docker(...args))
    const image = `${HOST}/skopeo/layout:1`
    assert.match(
      await docker('manifest', 'inspect', '--insecure', image),
      new RegExp(`"architecture": "${OTHER}"`),
    )
    const list = `${HOST}/docker/list:1`
    await docker('manifest', 'create', '--insecure', list, `${HOST}/podman/pushed:1`)
    assert.match(await docker('manifest', 'push', '--insecure', list), /^sha256:[0-9a-f]{64}\n$/m)
    assert.equal(runs(list), `for ${hostPlatform().architecture}\n`)
    await docker('buildx', 'imagetools', 'create', '-t', `${HOST}/docker/copy:1`, image)
    assert.equal(digest(`${HOST}/docker/copy:1`), index('layout').manifests[0]?.digest)
    assert.match(
      (await peers.docker('buildx', 'imagetools', 'inspect', `${HOST}/docker/none:1`)).stderr,
      /docker\/none:1: not found/,
    )
  })

  it('containerd pulls every platform and pushes them', async () => {
    const access = ['--plain-http', '--user', 'bob:s3cret']
    const image = `${HOST}/skopeo/layout:1`
    const ctr = async (...args: readonly string[]): Promise<string> => good(await peers.ctr(...args))
    assert.notEqual((await peers.ctr('content', 'fetch', '--plain-http', image)).code, 0)
    await ctr('content', 'fetch', ...access, '--all-platforms', image)
    await ctr('images', 'push', ...access, `${HOST}/containerd/pushed:1`, image)
    assert.equal(digest(`${HOST}/containerd/pushed:1`), index('layout').manifests[0]?.digest)
    assert.equal(runs(`${HOST}/containerd/pushed:1`), `for ${hostPlatform().architecture}\n`)
  })

  it("what our engine pushes, Docker's runs; what it pushes again is there", async () => {
    const id = ours(
      'run',
      '-d',
      '--network',
      'none',
      `${HOST}/skopeo/layout:1`,
      'sh',
      '-c',
      'echo ours > /for',
    ).trim()
    ours('wait', id)
    ours('commit', id, `${HOST}/ours/pushed:1`)
    ours('rm', id)
    assert.match(ours('push', `${HOST}/ours/pushed:1`), /: Mounted from [a-z/]+\n[^]*: Pushed\n/)
    assert.equal(
      good(
        await peers.docker(
          'run',
          '--rm',
          '--quiet',
          '--network',
          'none',
          `${HOST}/ours/pushed:1`,
          'cat',
          '/for',
        ),
      ),
      'ours\n',
    )
    assert.equal(podmanRuns('ours/pushed:1', 'cat', '/for'), 'ours\n')
  })

  it('skopeo deletes, and it is gone', () => {
    theirs('skopeo', 'delete', PLAIN, to('buildah/built:1'))
    const { code, stderr } = peers.run('skopeo', 'inspect', PLAIN, to('buildah/built:1'))
    assert.notEqual(code, 0)
    assert.match(stderr, /manifest unknown/)
  })

  function from(name: string): string {
    return `oci:${peers.there}/${name}:1`
  }

  function to(name: string): string {
    return `docker://${HOST}/${name}`
  }

  function index(name: string): Index {
    return JSON.parse(readFileSync(join(peers.here, name, 'index.json'), 'utf8')) as Index
  }

  /** Without control groups and networks of its own, which are not what is tried here. */
  function podmanRuns(image: string, ...command: readonly string[]): string {
    const plain = ['--cgroups', 'disabled', '--network', 'host', PLAIN, '--quiet', '--rm']
    return theirs('podman', ...peers.storage, 'run', ...plain, `${HOST}/${image}`, ...command)
  }
})

function good({ code, stdout, stderr }: Result): string {
  assert.equal(code, 0, stdout + stderr)
  return stdout
}

/** An image layout with an index for two processors, tagged 1. */
async function writeLayout(directory: string): Promise<void> {
  const contents = new RegistryContents()
  const base = await busyboxTar()
  const image = async (architecture: string) =>
    contents.image({
      layers: [base, await tarOf(member({ path: 'for' }, `for ${architecture}\n`))],
      platform: { os: 'linux', architecture },
      config: { Cmd: ['cat', '/for'], Env: ['PATH=/bin:/usr/bin'] },
    })
  const whole = contents.index([await image(hostPlatform().architecture), await image(OTHER)])
  const files: [string, Uint8Array | string][] = [
    ['oci-layout', '{"imageLayoutVersion":"1.0.0"}'],
    [
      'index.json',
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [{ ...whole, annotations: { 'org.opencontainers.image.ref.name': '1' } }],
      }),
    ],
    ...[...contents.blobs].map(
      ([at, bytes]) => [`blobs/${at.replace(':', '/')}`, bytes] as [string, Uint8Array],
    ),
    ...[...contents.manifests].map(
      ([at, { bytes }]) => [`blobs/${at.replace(':', '/')}`, bytes] as [string, Uint8Array],
    ),
  ]
  for (const [name, content] of files) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), content)
  }
}

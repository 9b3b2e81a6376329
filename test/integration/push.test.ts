/** Sending images with a real daemon to registries that others have written, and to ours. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import type { Digest } from '#base/digest.ts'
import { compress } from '#oci/compress.ts'
import { type Index, mediaTypes } from '#oci/image-spec.ts'
import { hostPlatform } from '#oci/platform.ts'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import { TestDaemon } from '#test/support/daemon.ts'
import { RegistryContents } from '#test/support/registry-images.ts'
import { missingPeer, type PeerKind, RegistryPeer } from '#test/support/registry-peer.ts'

interface Message {
  readonly status?: string
  readonly id?: string
  readonly error?: string
  readonly aux?: { readonly Tag: string; readonly Digest: Digest; readonly Size: number }
}

const hasDocker = spawnSync('docker', ['--version']).status === 0
const other = hostPlatform().architecture === 'amd64' ? 'arm64' : 'amd64'
const base = await busyboxTar()
const top = await tarOf(member({ path: 'etc/motd' }, 'pushed\n'))
const foreign = await tarOf(member({ path: 'etc/motd' }, 'for another processor\n'))

async function gzip(tar: Uint8Array): Promise<Buffer> {
  async function* once(): AsyncGenerator<Uint8Array> {
    yield tar
  }
  return Buffer.concat(await Array.fromAsync(compress(once(), 'gzip')))
}

/** An OCI layout of an index for two processors, as somebody else's builder writes it. */
async function layout(name: string): Promise<{ readonly archive: Buffer; readonly index: Digest }> {
  const contents = new RegistryContents()
  const packed = new Map<Uint8Array, Buffer>()
  for (const tar of [base, top, foreign]) packed.set(tar, await gzip(tar))
  const image = (layers: readonly Uint8Array[], architecture: string) =>
    contents.image({
      layers,
      compress: (tar) => packed.get(tar)!,
      platform: { os: 'linux', architecture },
      config: { Cmd: ['cat', '/etc/motd'] },
    })
  const entries = [image([base, top], hostPlatform().architecture), image([base, foreign], other)]
  const index = contents.index(entries)
  const annotations = { 'io.containerd.image.name': name }
  const document = { schemaVersion: 2, manifests: [{ ...index, annotations }] }
  const blobs = [...contents.blobs, ...[...contents.manifests].map(([at, { bytes }]) => [at, bytes] as const)]
  const archive = await tarOf(
    member({ path: 'oci-layout' }, '{"imageLayoutVersion":"1.0.0"}'),
    member({ path: 'index.json' }, JSON.stringify(document)),
    ...blobs.map(([digest, bytes]) => member({ path: `blobs/${digest.replace(':', '/')}` }, bytes)),
  )
  return { archive, index: index.digest }
}

const kinds: readonly PeerKind[] = ['docker-registry', 'berth']

for (const kind of kinds) {
  describe(`push to ${kind}`, { skip: missingPeer(kind) }, () => {
    let daemon: TestDaemon
    let registry: RegistryPeer
    let second: RegistryPeer
    let index: Digest

    const started = new AsyncDisposableStack()

    before(async () => {
      daemon = started.use(await TestDaemon.start())
      registry = started.use(await RegistryPeer.start(kind, daemon, 5000))
      second = started.use(await RegistryPeer.start(kind, daemon, 5001))
      const { archive, ...made } = await layout(`${registry.host}/team/whole:1`)
      index = made.index
      const { text } = await daemon.call('POST', '/images/load', archive)
      assert.match(text, /Loaded image: 127\.0\.0\.1:5000\/team\/whole:1/)
    })
    after(() => started.disposeAsync())

    async function push(name: string, query = 'tag=1'): Promise<Message[]> {
      const { status, text } = await daemon.call('POST', `/images/${name}/push?${query}`)
      const messages = text
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line) => JSON.parse(line) as Message)
      assert.equal(status, 200, text)
      assert.equal(messages.at(-1)?.error, undefined, text)
      return messages
    }

    function states(messages: readonly Message[]): string[] {
      const last = new Map(messages.flatMap(({ id, status }) => (id && status ? [[id, status]] : [])))
      return [...last.values()].toSorted()
    }

    async function tag(from: string, repo: string, as = '1'): Promise<void> {
      const { status } = await daemon.call('POST', `/images/${from}/tag?repo=${repo}&tag=${as}`)
      assert.equal(status, 201)
    }

    /** What the registry has under a name, exactly. */
    function manifest<T>(at: RegistryPeer, path: string): T {
      const { status, body } = at.get(path, `${mediaTypes.ociIndex}, ${mediaTypes.ociManifest}`)
      assert.equal(status, 200, body)
      return JSON.parse(body) as T
    }

    it('sends an index whole, byte for byte', async () => {
      const messages = await push(`${registry.host}/team/whole`)
      assert.deepEqual(states(messages), ['Pushed', 'Pushed', 'Pushed'])
      assert.equal(messages.at(-1)?.aux?.Digest, index)
      const { manifests } = manifest<Index>(registry, '/v2/team/whole/manifests/1')
      assert.deepEqual(
        manifests.map(({ platform }) => platform?.architecture),
        [hostPlatform().architecture, other],
      )
      for (const { digest } of manifests) manifest(registry, `/v2/team/whole/manifests/${digest}`)
    })

    it('finds the layers there the second time', async () => {
      const messages = await push(`${registry.host}/team/whole`)
      assert.deepEqual(
        states(messages),
        Array.from({ length: 3 }, () => 'Layer already exists'),
      )
      assert.equal(messages.at(-1)?.aux?.Digest, index)
    })

    it('mounts them in another repository', async () => {
      await tag(`${registry.host}/team/whole:1`, `${registry.host}/mounted`)
      const messages = await push(`${registry.host}/mounted`)
      assert.deepEqual(
        states(messages),
        Array.from({ length: 3 }, () => 'Mounted from team/whole'),
      )
    })

    it('sends one platform on request', async () => {
      await tag(`${registry.host}/team/whole:1`, `${registry.host}/one`)
      const platform = encodeURIComponent(JSON.stringify({ os: 'linux', architecture: other }))
      const messages = await push(`${registry.host}/one`, `tag=1&platform=${platform}`)
      const { manifests } = manifest<Index>(registry, '/v2/team/whole/manifests/1')
      assert.equal(messages.at(-1)?.aux?.Digest, manifests[1]?.digest)
    })

    it('brings back what was pushed: rmi, pull, run', async () => {
      const name = `${registry.host}/team/whole:1`
      const { Cmd } = { Cmd: ['cat', '/etc/motd'] }
      for (const ref of [name, `${registry.host}/mounted:1`, `${registry.host}/one:1`]) {
        await daemon.call('DELETE', `/images/${ref}?force=1`)
      }
      const left = (await daemon.call('GET', '/images/json?all=1')).json<object[]>()
      assert.deepEqual(left, [])
      const from = encodeURIComponent(`${registry.host}/team/whole`)
      const { text } = await daemon.call('POST', `/images/create?fromImage=${from}&tag=1`)
      assert.match(text, new RegExp(`Digest: ${index}`))
      const created = await daemon.call('POST', '/containers/create', { Image: name, Cmd })
      const { Id } = created.json<{ Id: string }>()
      await daemon.call('POST', `/containers/${Id}/start`)
      await daemon.call('POST', `/containers/${Id}/wait`)
      assert.match((await daemon.call('GET', `/containers/${Id}/logs?stdout=1`)).text, /pushed/)
      await daemon.call('DELETE', `/containers/${Id}`)
    })

    it('names what is missing of an index, and sends the image that is here under its digest', async () => {
      const repository = `${second.host}/copy`
      await tag(`${registry.host}/team/whole:1`, repository)
      const messages = await push(repository)
      assert.match(messages[1]?.status ?? '', new RegExp(`missing: linux/${other}`))
      const { manifests } = manifest<Index>(registry, '/v2/team/whole/manifests/1')
      assert.equal(messages.at(-1)?.aux?.Digest, manifests[0]?.digest)
    })

    it('makes and pushes a local image, with zstd on request', async () => {
      const created = await daemon.call('POST', '/containers/create', {
        Image: `${registry.host}/team/whole:1`,
        Cmd: ['sh', '-c', 'echo new > /etc/motd'],
      })
      const { Id } = created.json<{ Id: string }>()
      await daemon.call('POST', `/containers/${Id}/start`)
      await daemon.call('POST', `/containers/${Id}/wait`)
      const repository = `${registry.host}/committed`
      await daemon.call('POST', `/commit?container=${Id}&repo=${encodeURIComponent(repository)}&tag=1`)
      await daemon.call('DELETE', `/containers/${Id}`)
      const messages = await push(repository, 'tag=1&compression=zstd')
      assert.deepEqual(states(messages), ['Mounted from team/whole', 'Mounted from team/whole', 'Pushed'])
      const { layers } = manifest<{ layers: { mediaType: string }[] }>(registry, '/v2/committed/manifests/1')
      assert.equal(layers.at(-1)?.mediaType, mediaTypes.ociLayerZstd)
      const { RepoDigests } = (await daemon.call('GET', `/images/${repository}:1/json`)).json<{
        RepoDigests: string[]
      }>()
      assert.deepEqual(RepoDigests, [`${repository}@${messages.at(-1)?.aux?.Digest}`])
    })

    it('says what lies under a name', async () => {
      const { status, text } = await daemon.call('GET', `/distribution/${registry.host}/team/whole:1/json`)
      assert.equal(status, 200, text)
      const { Descriptor, Platforms } = JSON.parse(text) as {
        Descriptor: { digest: string }
        Platforms: { architecture: string }[]
      }
      assert.equal(Descriptor.digest, index)
      assert.deepEqual(
        Platforms.map(({ architecture }) => architecture),
        [hostPlatform().architecture, other],
      )
    })

    it('refuses what is not here', async () => {
      const { status, text } = await daemon.call('POST', `/images/${registry.host}/nobody/push?tag=1`)
      assert.equal(status, 404)
      assert.match(text, /An image does not exist locally with the tag: 127\.0\.0\.1:5000\/nobody/)
    })

    it('works with the docker client', { skip: hasDocker ? false : 'docker is not installed' }, async () => {
      const name = `${registry.host}/by/docker:2`
      assert.equal(daemon.docker('tag', `${registry.host}/committed:1`, name).code, 0)
      const pushed = daemon.docker('push', name)
      assert.equal(pushed.code, 0, pushed.stderr)
      assert.match(pushed.stdout, /Mounted from (committed|team\/whole)/)
      assert.match(pushed.stdout, /2: digest: sha256:[0-9a-f]{64} size: \d+/)
      const again = daemon.docker('push', name)
      assert.match(again.stdout, /Layer already exists/)
      assert.equal(daemon.docker('rmi', name, `${registry.host}/committed:1`).code, 0)
      const run = daemon.docker('run', '--rm', name, 'cat', '/etc/motd')
      assert.equal(run.stdout, 'new\n', run.stderr)
    })

    it('says that the registry is not there', async () => {
      await registry[Symbol.asyncDispose]()
      await tag(`${registry.host}/team/whole:1`, `${registry.host}/down`)
      const { text } = await daemon.call('POST', `/images/${registry.host}/down/push?tag=1`)
      assert.match(text, /errorDetail/)
    })
  })
}

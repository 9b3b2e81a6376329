/** Images that were pushed apart are put under one name by the command line, and an engine pulls of it what it is asked for. */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Index, mediaTypes } from '#oci/image-spec.ts'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { NODE, REPOSITORY, type Result, run } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { missingPeer, type PeerKind, RegistryPeer } from '#test/support/registry-peer.ts'

const kinds: readonly PeerKind[] = ['berth', 'docker-registry']

for (const kind of kinds) {
  describe(`manifest lists in ${kind}`, { skip: missingPeer(kind) }, () => {
    const started = new AsyncDisposableStack()
    let api: EngineApi
    let registry: RegistryPeer
    let config = ''
    let list = ''
    let digest = ''

    before(async () => {
      api = started.use(await EngineApi.start())
      registry = started.use(
        await RegistryPeer.start(kind, api.daemon, 5000, { accounts: { bob: 's3cret' } }),
      )
      list = `${registry.host}/team/all:1`
      config = join(api.daemon.root, 'client')
      mkdirSync(config)
      berth('login', '-u', 'bob', '-p', 's3cret', registry.host)
      for (const architecture of ['amd64', 'arm64']) {
        const name = `${registry.host}/${architecture}/app`
        const tar = await tarOf(member({ path: 'etc/motd' }, `for ${architecture}\n`))
        const platform = encodeURIComponent(`linux/${architecture}`)
        await api.call('POST', `/images/create?fromSrc=-&repo=${name}&tag=1&platform=${platform}`, tar)
        berth('push', `${name}:1`)
        berth('rmi', `${name}:1`)
      }
    })
    after(() => started.disposeAsync())

    function inNamespace(...args: string[]): Result {
      const program = join(REPOSITORY, 'src/bin/berth.ts')
      const berthd = ['-H', api.daemon.host, '--config', config]
      const command = [NODE, '--disable-warning=ExperimentalWarning', program, ...berthd, ...args]
      return run('nsenter', [`--net=/run/netns/${api.daemon.marks.netns}`, ...command])
    }

    function berth(...args: string[]): string {
      const { code, stdout, stderr } = inNamespace(...args)
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}${stdout}`)
      return stdout
    }

    const shown = (...flags: string[]): Index =>
      JSON.parse(berth('manifest', 'inspect', ...flags, list)) as Index

    it('are created, annotated and pushed', () => {
      const images = ['amd64', 'arm64'].map((architecture) => `${registry.host}/${architecture}/app:1`)
      assert.equal(berth('manifest', 'create', list, ...images), `Created manifest list ${list}\n`)
      assert.equal(berth('manifest', 'annotate', list, images[1] ?? '', '--variant', 'v8'), '')
      const lines = berth('manifest', 'push', '--purge', list).trimEnd().split('\n')
      digest = lines.at(-1) ?? ''
      assert.deepEqual(
        lines.map((line) => line.replaceAll(/sha256:[0-9a-f]{64}/g, 'DIGEST')),
        [...images.map(() => `Pushed ref ${registry.host}/team/all@DIGEST with digest: DIGEST`), 'DIGEST'],
      )
    })

    it('are shown as the registry has them', () => {
      const { mediaType, manifests } = shown()
      assert.equal(mediaType, mediaTypes.ociIndex)
      assert.deepEqual(
        manifests.map(({ platform }) => platform),
        [
          { architecture: 'amd64', os: 'linux' },
          { architecture: 'arm64', os: 'linux', variant: 'v8' },
        ],
      )
      const verbose = shown('-v') as unknown as { Ref: string; Descriptor: object; OCIManifest: object }[]
      assert.deepEqual(
        verbose.map(({ Ref, Descriptor }) => [Ref, Descriptor]),
        manifests.map((entry) => [`${list}@${entry.digest}`, entry]),
      )
    })

    for (const architecture of ['amd64', 'arm64']) {
      it(`are pulled for ${architecture}`, () => {
        const platform = `linux/${architecture}`
        assert.match(berth('pull', '--platform', platform, list), new RegExp(`Digest: ${digest}\n`))
        const format = '{{.Os}}/{{.Architecture}}'
        assert.equal(berth('image', 'inspect', '--platform', platform, '-f', format, list), `${platform}\n`)
        berth('rmi', list)
      })
    }

    it('are refused without a password, and what is not there is named', () => {
      const nobody = join(api.daemon.root, 'nobody')
      const { code, stderr } = inNamespace('--config', nobody, 'manifest', 'inspect', list)
      assert.equal(code, 1)
      assert.match(
        stderr,
        /(log in with 'berth login 127\.0\.0\.1:5000'|may require 'docker login': denied: .*)\n$/,
      )
      assert.equal(
        inNamespace('manifest', 'inspect', `${registry.host}/team/all:2`).stderr,
        `no such manifest: ${registry.host}/team/all:2: manifest unknown\n`,
      )
    })
  })
}

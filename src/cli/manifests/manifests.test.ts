import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { mediaTypes } from '#oci/image-spec.ts'
import { runCli, FakeCaller, type CliResult } from '#test/support/cli.ts'
import { FakeRegistry, type FakeRegistryOptions } from '#test/support/fake-registry.ts'
import { TestAuthority } from '#test/support/test-authority.ts'
import { main } from '../main.ts'

let opened: AsyncDisposableStack
let directory = ''
let registry: FakeRegistry
let env: Readonly<Record<string, string>> = {}

beforeEach(async () => {
  opened = new AsyncDisposableStack()
  directory = await mkdtemp(join(tmpdir(), 'berth-manifests-'))
  opened.defer(() => rm(directory, { recursive: true }))
  env = {}
  await serve()
})
afterEach(() => opened.disposeAsync())

/** With `team/app:amd64`, Docker's, and `team/arm:v8`, OCI's. */
async function serve(options: FakeRegistryOptions = {}): Promise<void> {
  registry = opened.use(await FakeRegistry.start(options))
  addImage('team/app', 'amd64', { architecture: 'amd64' })
  addImage('team/arm', 'v8', { architecture: 'arm64', variant: 'v8', 'os.features': ['x'] }, 'oci')
}

function addImage(repository: string, tag: string, platform: object, kind: 'oci' | 'docker' = 'docker') {
  const config = { os: 'linux', ...platform, rootfs: { type: 'layers', diff_ids: [] } }
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes[`${kind}Manifest`],
    config: { mediaType: mediaTypes[`${kind}Config`], ...registry.addBlob(JSON.stringify(config)) },
    layers: [{ mediaType: mediaTypes[`${kind}LayerGzip`], ...registry.addBlob(`layer of ${tag}`) }],
  }
  return registry.addManifest(repository, tag, manifest, manifest.mediaType).digest
}

/** `R` is the registry, `L` the list `team/all:1` in it. */
const words = (line: string): string[] =>
  ['--config', directory, 'manifest', ...line.split(' ')].map((word) =>
    word.replace(/^R/, registry.host).replace(/^L$/, `${registry.host}/team/all:1`),
  )
const run = (line: string): Promise<CliResult> => runCli(words(line), { env })

async function says(line: string): Promise<string> {
  const { code, stdout, stderr } = await run(line)
  assert.deepEqual([code, stderr], [0, ''], line)
  return stdout
}

async function fails(line: string): Promise<string> {
  const { code, stdout, stderr } = await run(line)
  assert.deepEqual([code, stdout], [1, ''], line)
  return stderr.replaceAll(registry.host, 'R')
}

const create = (): Promise<string> => says('create L R/team/app:amd64 R/team/arm:v8')
const pushed = (): string => Buffer.from(registry.repository('team/all').get('1')?.bytes ?? []).toString()

interface List {
  readonly mediaType: string
  readonly manifests: readonly { readonly mediaType: string; readonly platform: object }[]
}

describe('berth manifest create', () => {
  it('begins a list of what the registry has, with platforms from the configurations', async () => {
    assert.equal(await create(), `Created manifest list ${registry.host}/team/all:1\n`)
    const { mediaType, manifests } = JSON.parse(await says('inspect L')) as List
    assert.equal(mediaType, mediaTypes.dockerIndex)
    assert.deepEqual(
      manifests.map(({ mediaType: type, platform }) => [type, platform]),
      [
        [mediaTypes.dockerManifest, { architecture: 'amd64', os: 'linux' }],
        [mediaTypes.ociManifest, { architecture: 'arm64', os: 'linux', 'os.features': ['x'], variant: 'v8' }],
      ],
    )
  })

  it('adds to a list only with --amend, and keeps what the list has of an image', async () => {
    await says('create L R/team/app:amd64')
    assert.match(
      await fails('create L R/team/arm:v8'),
      /^refusing to amend an existing manifest list with no --amend flag; /,
    )
    await says('annotate L R/team/app:amd64 --variant v2')
    registry.requests.length = 0
    await says('create -a L R/team/app:amd64 R/team/arm:v8')
    assert.ok(registry.log.every((line) => !line.includes('/team/app/')))
    const { manifests } = JSON.parse(await says('inspect L')) as List
    assert.deepEqual(manifests[0]?.platform, { architecture: 'amd64', os: 'linux', variant: 'v2' })
    assert.equal(manifests.length, 2)
    await says('create --amend R/new R/team/app:amd64')
  })

  it('leaves nothing behind when an image is not there', async () => {
    assert.equal(
      await fails('create L R/team/app:amd64 R/team/app:no'),
      'no such manifest: R/team/app:no: manifest unknown\n',
    )
    await assert.rejects(readdir(join(directory, 'manifests')), { code: 'ENOENT' })
    await create()
  })

  it('refuses a list as an image, and what is no name', async () => {
    await create()
    await says('push L')
    assert.match(await fails('create R/x L'), /^R\/team\/all:1 is a manifest list; /)
    assert.equal(
      await fails('create X R/team/app'),
      'error parsing name for manifest list X: invalid reference format: repository name (library/X) must be lowercase\n',
    )
    assert.equal(await fails('create L @'), 'invalid reference format\n')
    assert.match(await fails('create L'), /'berth manifest create' requires at least 2 arguments/)
  })
})

describe('berth manifest annotate', () => {
  it('changes the entry, and adds features to those that are there', async () => {
    await create()
    const flags =
      '--os windows --arch amd64 --os-version 10.0.1 --os-features a,x --os-features "b,c" --variant v1'
    assert.equal(await says(`annotate L R/team/arm:v8 ${flags}`), '')
    const { manifests } = JSON.parse(await says('inspect L')) as List
    assert.deepEqual(manifests[1]?.platform, {
      architecture: 'amd64',
      os: 'windows',
      'os.version': '10.0.1',
      'os.features': ['x', 'a', 'b,c'],
      variant: 'v1',
    })
  })

  it('refuses a platform that there is not, and an image that the list has not', async () => {
    await create()
    assert.equal(
      await fails('annotate L R/team/app:amd64 --arch x86'),
      'manifest entry for image has unsupported os/arch combination: linux/x86\n',
    )
    assert.match(
      await fails('annotate L R/team/app:2'),
      /^manifest for image R\/team\/app:2 does not exist in R\/team\/all:1; /,
    )
    assert.match(
      await fails('annotate R/no R/a'),
      /^manifest for image R\/a:latest does not exist in R\/no:latest; /,
    )
    assert.match(await fails('annotate X a'), /^annotate: error parsing name for manifest list X: invalid/)
    assert.match(await fails('annotate a X'), /^annotate: error parsing name for manifest X: invalid/)
  })
})

describe('berth manifest inspect', () => {
  it('shows the manifest as it is written', async () => {
    const text = `{"schemaVersion":2,"mediaType":"${mediaTypes.ociManifest}","2":1,"1":1.0,"config":{"mediaType":"x","digest":"sha256:${'0'.repeat(64)}","size":2},"layers":[],"annotations":{"a":"<b>"}}`
    registry.addManifest('team/raw', 'latest', Buffer.from(text), mediaTypes.ociManifest)
    const shown = await says('inspect R/team/raw')
    assert.match(
      shown,
      /^\{\n\t"schemaVersion": 2,\n.*\n\t"2": 1,\n\t"1": 1\.0,\n[^]*\n\t\t"a": "<b>"\n\t\}\n\}\n$/,
    )
    assert.deepEqual(registry.log, ['GET /v2/team/raw/manifests/latest'])
  })

  it('shows with --verbose what it is and for which platform', async () => {
    const { Ref, Descriptor, Raw, OCIManifest } = JSON.parse(await says('inspect -v R/team/arm:v8')) as {
      readonly Ref: string
      readonly Descriptor: { readonly platform: object }
      readonly Raw: string
      readonly OCIManifest: object
    }
    assert.equal(Ref, `${registry.host}/team/arm:v8`)
    assert.deepEqual(Descriptor.platform, {
      architecture: 'arm64',
      os: 'linux',
      'os.features': ['x'],
      variant: 'v8',
    })
    assert.deepEqual(JSON.parse(Buffer.from(Raw, 'base64').toString()), OCIManifest)
  })

  it('shows every image of a list, by its digest, with the platform that the list says', async () => {
    const digest = addImage('team/all', 'x', { architecture: 'amd64' })
    const platform = { architecture: 'arm', os: 'linux', variant: 'v7' }
    const entry = { mediaType: mediaTypes.dockerManifest, digest, size: 1, platform }
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry, entry] }
    registry.addManifest('team/all', '1', index, mediaTypes.ociIndex)
    const shown = JSON.parse(await says('inspect -v L')) as {
      readonly Ref: string
      readonly Descriptor: { readonly platform: object }
    }[]
    assert.deepEqual(
      shown.map(({ Ref, Descriptor }) => [Ref, Descriptor.platform]),
      [entry, entry].map(() => [`${registry.host}/team/all:1@${digest}`, platform]),
    )
    registry.requests.length = 0
    assert.equal((JSON.parse(await says('inspect L')) as List).manifests.length, 2)
    assert.deepEqual(registry.log, ['GET /v2/team/all/manifests/1'])
    await says('create L R/team/app:amd64')
    assert.equal((JSON.parse(await says('inspect L')) as List).manifests.length, 1)
  })

  it('shows one image of a list that is kept here', async () => {
    await create()
    registry.requests.length = 0
    assert.match(
      await says('inspect L R/team/arm:v8'),
      new RegExp(mediaTypes.ociManifest.replaceAll(/[.+]/g, '\\$&')),
    )
    assert.match(await says('inspect -v L R/team/arm:v8'), /"Ref": ".*\/team\/arm:v8"/)
    assert.equal(await fails('inspect L R/team/app:no'), 'No such manifest: R/team/app:no\n')
    assert.equal(await fails('inspect R/no R/team/arm:v8'), 'No such manifest: R/team/arm:v8\n')
    assert.deepEqual(registry.log, [])
  })

  it('says that there is none', async () => {
    assert.equal(await fails('inspect R/team/app:no'), 'no such manifest: R/team/app:no: manifest unknown\n')
  })

  it('ends with 130 at Ctrl-C', async () => {
    registry.fault = () => ({ kind: 'stall', after: 0 })
    const caller = new FakeCaller()
    const running = main(words('inspect R/team/app:amd64'), caller)
    const asked = (): void => {
      if (registry.requests.some(({ url }) => url.includes('manifests')))
        caller.signals.emit('SIGINT', 'SIGINT')
      else setImmediate(asked)
    }
    asked()
    assert.equal(await running, 130)
  })
})

describe('berth manifest push', () => {
  it('mounts what is in other repositories, and sends the list last', async () => {
    await create()
    registry.requests.length = 0
    const said = (await says('push L')).split('\n')
    const digests = said.map((line) => /sha256:[0-9a-f]{64}$/.exec(line)?.[0])
    assert.deepEqual(said, [
      ...digests
        .slice(0, 2)
        .map((digest) => `Pushed ref ${registry.host}/team/all@${digest} with digest: ${digest}`),
      digests[2],
      '',
    ])
    const mounted = 'POST /v2/team/all/blobs/uploads/'
    const copied = [mounted, mounted, 'PUT /v2/team/all/manifests/DIGEST']
    assert.deepEqual(
      registry.log.map((line) => line.replace(/sha256:.*/, 'DIGEST')),
      [...copied, ...copied, 'PUT /v2/team/all/manifests/1'],
    )
    assert.ok(
      registry.requests.every(
        ({ method, url }) => method !== 'POST' || /[?&]from=team%2Fa(pp|rm)$/.test(url),
      ),
    )
    assert.equal(`${pushed()}\n`, await says('inspect L'))
    const here = await says('inspect L')
    await says('rm L')
    assert.equal(await says('inspect L'), here)
  })

  it('sends nothing twice that is in the same repository', async () => {
    await says('create R/team/app:all R/team/app:amd64')
    registry.requests.length = 0
    assert.match(await says('push R/team/app:all'), /^sha256:[0-9a-f]{64}\n$/)
    assert.deepEqual(registry.log, ['PUT /v2/team/app/manifests/all'])
  })

  it('makes an OCI index when the first image is one of OCI', async () => {
    await says('create L R/team/arm:v8')
    await says('push L')
    assert.equal(registry.repository('team/all').get('1')?.mediaType, mediaTypes.ociIndex)
  })

  it('copies what the registry has not here and does not mount', async () => {
    await says('create L R/team/arm:v8')
    const [layer = ''] =
      [...registry.blobs].find(([, bytes]) => Buffer.from(bytes).toString() === 'layer of v8') ?? []
    registry.fault = ({ method, url }) => {
      if (method === 'POST' && url.includes('mount=')) return { kind: 'answer', status: 405 }
      const absent = method === 'HEAD' && url === `/v2/team/all/blobs/${layer}`
      return absent ? { kind: 'answer', status: 404 } : undefined
    }
    const { code, stderr } = await run('push L')
    const copied = `Copying ${layer} from team/arm: the registry does not mount it\n`
    assert.deepEqual([code, stderr], [0, copied])
    assert.deepEqual(
      registry.log.filter((line) => line.startsWith('GET') && line.includes('/blobs/')).slice(1),
      [`GET /v2/team/arm/blobs/${layer}`],
    )
    assert.match(registry.log.join('\n'), /PUT \/v2\/team\/all\/blobs\/uploads\//)
  })

  for (const ranges of ['known', 'unknown'] as const) {
    it(`goes on with a copy that was cut (ranges are ${ranges} to the registry)`, async () => {
      await says('create L R/team/arm:v8')
      const [layer = ''] =
        [...registry.blobs].find(([, bytes]) => Buffer.from(bytes).toString() === 'layer of v8') ?? []
      let cuts = 1
      registry.fault = ({ method, url }) => {
        if (method === 'POST' && url.includes('mount=')) return { kind: 'answer', status: 405 }
        if (method === 'HEAD' && url.endsWith(layer)) return { kind: 'answer', status: 404 }
        if (method === 'GET' && ranges === 'unknown') return { kind: 'ignore range' }
        if (!/^P(UT|ATCH)$/.test(method) || !url.includes('/uploads/') || cuts === 0) return undefined
        cuts -= 1
        return { kind: 'cut', after: 5 }
      }
      assert.equal((await run('push L')).code, 0)
      const reads = registry.requests.filter(({ method, url }) => method === 'GET' && url.endsWith(layer))
      assert.deepEqual(
        reads.map(({ headers }) => headers.range),
        [undefined, 'bytes=5-10'],
      )
    })
  }

  it('leaves out layers that no registry has', async () => {
    const foreign = { mediaType: mediaTypes.dockerForeignLayer, digest: `sha256:${'f'.repeat(64)}`, size: 1 }
    const config = registry.addBlob('{"architecture":"amd64","os":"windows"}')
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig, ...config },
      layers: [foreign],
    }
    registry.addManifest('team/win', 'latest', manifest, mediaTypes.dockerManifest)
    await says('create L R/team/win')
    await says('push L')
    assert.ok(registry.log.every((line) => !line.startsWith('GET') || !line.endsWith(foreign.digest)))
  })

  it('forgets the list with --purge, but only when it was pushed', async () => {
    await create()
    registry.fault = ({ url }) => (url.endsWith('/manifests/1') ? { kind: 'answer', status: 400 } : undefined)
    assert.equal((await run('push --purge L')).code, 1)
    registry.fault = () => undefined
    await says('inspect L')
    await says('push -p L')
    assert.equal(await fails('rm L'), 'No such manifest: R/team/all:1\n')
    assert.deepEqual(await readdir(join(directory, 'manifests')), [])
  })

  it('refuses what no registry can take', async () => {
    assert.equal(await fails('push L'), 'No such manifest: R/team/all:1\n')
    await says('create other.example/x R/team/app:amd64')
    const message =
      /^cannot use source images from a different registry than the target image: R != other\.example; /
    assert.match(await fails('push other.example/x'), message)
    assert.match(await fails('inspect other.example/x'), message)
    await says('inspect -v other.example/x')
    addImage('team/app', 'what', { os: '', architecture: '' })
    await says('create L R/team/app:what')
    assert.match(
      await fails('push L'),
      /^manifest R\/team\/app:what must have an OS and Architecture to be pushed to a registry; /,
    )
    const digest = `R/x@sha256:${'0'.repeat(64)}`
    await says(`create ${digest} R/team/app:amd64`)
    assert.match(await fails(`push ${digest}`), /^cannot push a digest reference; /)
  })
})

describe('berth manifest rm', () => {
  it('forgets lists, names those that there are not, and asks nobody', async () => {
    await create()
    registry.requests.length = 0
    const { code, stdout, stderr } = await run('rm R/a L docker.io/b:1')
    assert.deepEqual(
      [code, stdout, stderr.replaceAll(registry.host, 'R')],
      [1, '', 'No such manifest: R/a:latest\nNo such manifest: docker.io/library/b:1\n'],
    )
    assert.deepEqual(registry.log, [])
    assert.deepEqual(await readdir(join(directory, 'manifests')), [])
  })
})

describe('who asks', () => {
  const accounts = { ann: 'secret' }
  const login = (password: string): Promise<void> => {
    const auth = Buffer.from(`ann:${password}`).toString('base64')
    return writeFile(join(directory, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }))
  }

  for (const kind of ['basic', 'bearer'] as const) {
    it(`is the person that is logged in (${kind})`, async () => {
      await serve({ auth: { kind, accounts } })
      assert.match(
        await fails('inspect R/team/app:amd64'),
        /(unauthorized|denied): .*; log in with 'berth login R'|or may require 'docker login'/,
      )
      await login('wrong')
      assert.match(
        await fails('create L R/team/app:amd64'),
        /^unauthorized: .*; log in with 'berth login R'\n$/,
      )
      await login('secret')
      await create()
      await says('push L')
      await login('wrong')
      assert.match(await fails('push L'), /^unauthorized: .*; log in with 'berth login R'\n$/)
    })
  }

  it('is not known when the helper does not work, and then nothing is sent (CVE-2021-41092)', async () => {
    await create()
    registry.requests.length = 0
    env = { PATH: '/nonexistent' }
    await writeFile(join(directory, 'config.json'), JSON.stringify({ credsStore: 'missing' }))
    for (const line of ['inspect R/team/app:amd64', 'create R/x R/team/app:amd64', 'push L']) {
      assert.match(await fails(line), /cannot run the credential helper docker-credential-missing/, line)
    }
    assert.equal(registry.requests.length, 0)
  })
})

const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address

describe('--insecure', { skip: outside === undefined && 'this machine has no address but loopback' }, () => {
  const address = outside ?? ''
  const at = (): string => `${address}:${registry.host.split(':')[1]}/team`

  it('takes an unknown certificate', async () => {
    const authority = opened.use(await TestAuthority.make())
    const tls = await authority.issue([`IP:${address}`])
    await serve({ listen: { address: '0.0.0.0', port: 0 }, tls })
    const refused = await fails(`create ${at()}/all ${at()}/app:amd64`)
    assert.match(refused, /x509: certificate signed by unknown authority.* \(here: --insecure\)\n$/)
    await says(`create --insecure ${at()}/all ${at()}/app:amd64 ${at()}/arm:v8`)
    assert.match(await fails(`push ${at()}/all`), /x509: certificate/)
    await says(`push --insecure ${at()}/all`)
    await says(`inspect --insecure ${at()}/arm:v8`)
  })

  it('takes plain HTTP', async () => {
    await serve({ listen: { address: '0.0.0.0', port: 0 } })
    assert.match(
      await fails(`inspect ${at()}/app:amd64`),
      /server gave HTTP response to HTTPS client.* \(here: --insecure\)\n$/,
    )
    await says(`inspect --insecure ${at()}/app:amd64`)
  })
})

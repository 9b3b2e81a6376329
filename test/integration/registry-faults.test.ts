/** Whatever is wrong with a registry: one clear error for who asked, with both clients, and nothing is left of the image. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { mediaTypes } from '#oci/image-spec.ts'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import { NODE, type Result, run, TestDaemon } from '#test/support/daemon.ts'
import { noise, RegistryContents } from '#test/support/registry-images.ts'
import { RegistryPeer } from '#test/support/registry-peer.ts'
import { ScriptedRegistry } from '#test/support/scripted-registry.ts'
import type { Faults } from '#test/support/scripted-registry-server.ts'
import { TestAuthority } from '#test/support/test-authority.ts'
import { TlsFronts } from '#test/support/tls-front.ts'

const BERTH = join(import.meta.dirname, '../../src/bin/berth.ts')
const clients = [
  { name: 'berth', program: [NODE, '--disable-warning=ExperimentalWarning', BERTH], absent: false },
  {
    name: 'docker',
    program: ['docker'],
    absent: spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine",
  },
]
/** TEST-NET-3: nobody's, so that nothing of what holds for loopback does. */
const [trusted, selfSigned, expired, elsewhere, hanging] = [20, 21, 22, 23, 24].map((n) => `203.0.113.${n}`)
const ACCOUNTS = '127.0.0.1:5001'
const large = await tarOf(member({ path: 'data' }, noise(3 << 20)))

interface Fault {
  readonly name: string
  /** Where from; `REGISTRY` is the one that has the image. */
  readonly image: string
  readonly make?: (contents: RegistryContents) => void
  readonly faults?: Faults
  /** All that is said. */
  readonly says: RegExp
}

const base = await busyboxTar()
const whole = (contents: RegistryContents): void => void contents.image({ layers: [base] }, '1')
const faults: readonly Fault[] = [
  {
    name: 'a certificate that has ended',
    image: `${expired}:5000/team/app:1`,
    says: /^Error response from daemon: registry 203\.0\.113\.22:5000: tls: failed to verify certificate: x509: certificate has expired[^\n]*$/,
  },
  {
    name: 'a certificate that signs itself',
    image: `${selfSigned}:5000/team/app:1`,
    says: /x509: certificate signed by unknown authority[^\n]*\/etc\/berth\/certs\.d\/203\.0\.113\.21:5000\/ca\.crt[^\n]*$/,
  },
  {
    name: 'a certificate of somebody else',
    image: `${elsewhere}:5000/team/app:1`,
    says: /x509: certificate is for another host[^\n]*$/,
  },
  {
    name: 'nobody there',
    image: '203.0.113.20:5999/team/app:1',
    says: /^Error response from daemon: cannot reach registry 203\.0\.113\.20:5999: [^\n]*connection refused$/,
  },
  {
    name: 'a host that does not exist',
    image: 'registry.invalid/team/app:1',
    says: /^Error response from daemon: cannot reach registry registry\.invalid: (no such host|the name cannot be resolved now[^\n]*)$/,
  },
  {
    name: 'a wrong password that is stored',
    image: `${ACCOUNTS}/team/app:1`,
    says: /^Error response from daemon: unauthorized: [^\n]*(password|authentication)[^\n]*$/,
  },
  {
    name: 'a repository that is missing',
    image: `${trusted}:5000/team/none:1`,
    says: /^Error response from daemon: manifest for 203\.0\.113\.20:5000\/team\/none:1 not found: manifest unknown: manifest unknown$/,
  },
  {
    name: 'a registry that always answers 429',
    image: `${trusted}:5000/team/app:1`,
    make: whole,
    faults: { tooMany: 1000, retryAfter: 0 },
    says: /^Error response from daemon: toomanyrequests: registry 203\.0\.113\.20:5000 limits requests$/,
  },
  {
    name: 'a blob that was tampered with',
    image: `${trusted}:5000/team/app:1`,
    make: whole,
    faults: { flip: 5000 },
    says: /^(Error response from daemon: )?filesystem layer verification failed for digest sha256:[^\n]*$/,
  },
  {
    name: 'a blob that ends early, always',
    image: `${trusted}:5000/team/app:1`,
    make: (contents) => void contents.image({ layers: [large] }, '1'),
    faults: { cutAfter: 1 << 20 },
    says: /^(Error response from daemon: )?(registry 203\.0\.113\.20:5000: connection closed in the middle: unexpected EOF|cannot reach registry 203\.0\.113\.20:5000: connection reset by peer)$/,
  },
  {
    name: 'a manifest that is too large',
    image: `${trusted}:5000/team/app:1`,
    make: (contents) =>
      void contents.image({ layers: [base], manifest: { annotations: { a: 'x'.repeat(5 << 20) } } }, '1'),
    says: /^Error response from daemon: registry 203\.0\.113\.20:5000: the manifest is larger than the 4194304 bytes allowed$/,
  },
  {
    name: 'a manifest whose digest is not the one that was asked for',
    image: `${trusted}:5000/team/app@sha256:${'1'.repeat(64)}`,
    make: (contents) => {
      const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest }
      const bytes = Buffer.from(JSON.stringify(document))
      contents.manifests.set(`sha256:${'1'.repeat(64)}`, { bytes, mediaType: mediaTypes.ociManifest })
    },
    says: /^Error response from daemon: registry 203\.0\.113\.20:5000: content digest mismatch: want sha256:1+, got sha256:[0-9a-f]{64}$/,
  },
  {
    name: 'an archive that leaves its root (CVE-2018-15664)',
    image: `${trusted}:5000/team/app:1`,
    make: (contents) => void contents.image({ layers: [hostile] }, '1'),
    says: /^(Error response from daemon: )?[^\n]*(\.\.|outside)[^\n]*$/,
  },
]

describe('a pull', () => {
  const stack = new AsyncDisposableStack()
  let daemon: TestDaemon
  let registry: ScriptedRegistry
  let hung: Promise<{ readonly text: string; readonly seconds: number }>

  before(async () => {
    const authority = stack.use(await TestAuthority.make())
    const stranger = stack.use(await TestAuthority.make())
    const bundle = join(authority.directory, 'trusted.pem')
    writeFileSync(bundle, authority.cert)
    // As an administrator would: what the machine trusts, for this process.
    const dress = (...argv: readonly string[]): string[] => ['env', `NODE_EXTRA_CA_CERTS=${bundle}`, ...argv]
    daemon = stack.use(await TestDaemon.start({ dress, args: ['--max-download-attempts', '2'] }))
    registry = stack.use(await ScriptedRegistry.start(daemon))
    const issue = (by: TestAuthority, address = '', days = 1) => by.issue([`IP:${address}`], { days })
    const fronts = [
      { address: trusted!, certificate: await issue(authority, trusted) },
      { address: selfSigned!, certificate: await issue(stranger, selfSigned) },
      { address: expired!, certificate: await issue(authority, expired, -1) },
      { address: elsewhere!, certificate: await issue(authority, trusted) },
      { address: hanging! },
    ]
    stack.use(await TlsFronts.open(daemon, { fronts, port: Number(registry.host.split(':')[1]) }))
    stack.use(await RegistryPeer.start('berth', daemon, 5001, { accounts: { bob: 's3cret' } }))
    const config = join(daemon.root, 'client')
    mkdirSync(config)
    const auth = Buffer.from('bob:wrong').toString('base64')
    writeFileSync(join(config, 'config.json'), JSON.stringify({ auths: { [ACCOUNTS]: { auth } } }))
    // It takes as long as a registry may be silent, so it goes on beside the others.
    const started = performance.now()
    hung = daemon
      .call('POST', `/images/create?fromImage=${hanging}:5000/team/app&tag=1`)
      .then(({ text }) => ({ text, seconds: (performance.now() - started) / 1000 }))
  })
  after(() => stack.disposeAsync())

  const client = (program: readonly string[], ...args: readonly string[]): Result => {
    const config = `DOCKER_CONFIG=${join(daemon.root, 'client')}`
    const command = ['env', config, ...program, '-H', daemon.host, ...args]
    return run('nsenter', [`--net=/run/netns/${daemon.marks.netns}`, ...command])
  }

  async function assertNothing(): Promise<void> {
    assert.deepEqual((await daemon.call('GET', '/images/json?all=1')).json(), [])
    for (const place of ['layers/sha256', 'blobs/sha256', 'staging', 'ingests']) {
      const at = join(daemon.marks.dataRoot, place)
      assert.deepEqual(existsSync(at) ? readdirSync(at) : [], [], place)
    }
    await daemon.assertNoLeaks()
  }

  for (const { name, program, absent } of clients) {
    describe(`by ${name}`, { skip: absent }, () => {
      for (const fault of faults) {
        it(`ends with one error at ${fault.name}`, async () => {
          const contents = new RegistryContents()
          fault.make?.(contents)
          await registry.holds(contents)
          await registry.does(fault.faults ?? {})
          const { code, stderr } = client(program, 'pull', fault.image)
          assert.equal(code, 1, stderr)
          assert.match(stderr.trimEnd(), fault.says)
          if (fault.faults?.cutAfter === undefined) return assertNothing()
          // What came is kept to go on with; a fault that is over is made good.
          await registry.does({})
          assert.equal(client(program, 'pull', fault.image).code, 0)
          assert.equal(client(program, 'rmi', fault.image).code, 0)
          return assertNothing()
        })
      }

      it('tells a run why there is nothing to run', () => {
        const { code, stderr } = client(program, 'run', '--rm', `${expired}:5000/team/app:1`)
        assert.equal(code, 125)
        const lines = stderr.split('\n\n')[0]!.trimEnd().split('\n')
        assert.equal(lines[0], `Unable to find image '${expired}:5000/team/app:1' locally`)
        assert.match(
          lines.slice(1).join('\n'),
          new RegExp(`^${name}: Error response from daemon: [^\n]*expired[^\n]*$`),
        )
      })
    })
  }

  it('does not wait for ever for a registry that says nothing', { timeout: 90_000 }, async () => {
    const { text, seconds } = await hung
    assert.match(text, /registry 203\.0\.113\.24:5000 sent nothing for \d+ s/)
    assert.ok(seconds < 70, `${seconds} s`)
    await assertNothing()
  })
})

const hostile = await tarOf(member({ path: '../../escape' }, 'x'))

import assert from 'node:assert/strict'
import type { lookup } from 'node:dns'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { mediaTypes } from '#oci/image-spec.ts'
import { FakeRegistry } from '#test/support/fake-registry.ts'
import { FakeServer } from '#test/support/fake-tokens.ts'
import { PauseClock, watchedForHours } from '#test/support/pause-clock.ts'
import { TestAuthority } from '#test/support/test-authority.ts'
import { openRegistryClient, type RegistryClientOptions } from './client.ts'
import { Connections } from './connections.ts'
import type { Credentials, Repository } from './repository.ts'

const ann: Credentials = { username: 'ann', password: 'secret' }
const accounts = { ann: 'secret' }
const content = Buffer.from('content of a blob')
const refused = { code: 'REGISTRY_TARGET_REFUSED' }

let authority: TestAuthority
let certs: string
let opened: AsyncDisposableStack

before(async () => {
  authority = await TestAuthority.make()
  certs = await mkdtemp(join(tmpdir(), 'berth-certs-'))
})
after(async () => {
  await authority[Symbol.asyncDispose]()
  await rm(certs, { recursive: true })
})
beforeEach(() => {
  opened = new AsyncDisposableStack()
})
afterEach(() => opened.disposeAsync())

/** DNS in which names are where the test says. */
const dns = (names: Readonly<Record<string, string>>): typeof lookup =>
  ((name: string, _options: unknown, done: (error: Error | null, found: object[]) => void) => {
    const address = names[name]
    if (address === undefined) return done(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), [])
    return done(null, [{ address, family: 4 }])
  }) as unknown as typeof lookup

function repository(domain: string, options: RegistryClientOptions = {}, credentials = ann): Repository {
  const client = openRegistryClient({
    certificateDirectories: [certs],
    clock: new PauseClock(),
    limits: watchedForHours,
    attempts: 2,
    ...options,
  })
  return opened.use(client).repository({ domain, path: 'team/app' }, { credentials })
}

/** A registry with a good certificate under a public name: nothing about it is insecure. */
async function secureRegistry(realm?: string): Promise<{ registry: FakeRegistry; domain: string }> {
  const tls = await authority.issue(['DNS:registry.example.com'])
  const auth = { kind: 'bearer', accounts, realm } as const
  const registry = opened.use(await FakeRegistry.start({ tls, auth: realm === undefined ? undefined : auth }))
  const domain = registry.host.replace('127.0.0.1', 'registry.example.com')
  await trust(domain, { 'ca.crt': authority.cert })
  registry.addManifest('team/app', 'v1', {}, mediaTypes.ociManifest)
  return { registry, domain }
}

async function trust(host: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(certs, host), { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(certs, host, name), text)
}

const here = { lookup: dns({ 'registry.example.com': '127.0.0.1', 'auth.example.com': '127.0.0.1' }) }

async function stranger(
  answer: Parameters<typeof FakeServer.start>[0] = (_, response) => void response.end('{}'),
) {
  return opened.use(await FakeServer.start(answer))
}

describe('credentials', () => {
  it('CVE-2026-48978: are not sent to a token service of another site', async () => {
    const evil = await stranger()
    const { domain } = await secureRegistry(`https://auth.evil.com:${evil.port}/token`)
    await assert.rejects(
      repository(domain, {
        lookup: dns({ 'registry.example.com': '127.0.0.1', 'auth.evil.com': '127.0.0.1' }),
      }).manifest('v1'),
      refused,
    )
    assert.equal(evil.requests.length, 0)
  })

  it('CVE-2026-33540: a token service that resolves to an inner address is not asked, even anonymously', async () => {
    for (const address of ['169.254.169.254', '100.100.100.200']) {
      const { domain } = await secureRegistry('https://auth.example.com/token')
      const lookup = dns({ 'registry.example.com': '127.0.0.1', 'auth.example.com': address })
      await assert.rejects(repository(domain, { lookup }, {}).manifest('v1'), refused, address)
    }
  })

  it('CVE-2026-59891: stay with the registry that they were given for', async () => {
    const { registry, domain } = await secureRegistry()
    const mirror = opened.use(await FakeRegistry.start({ auth: { kind: 'basic', accounts } }))
    await repository(domain, { ...here, mirrors: { default: [mirror.origin] } }).manifest('v1')
    assert.ok(mirror.requests.length > 0)
    assert.deepEqual(
      mirror.requests.filter(({ headers }) => headers.authorization !== undefined),
      [],
    )
    assert.ok(registry.requests.length > 0)
  })

  it('CVE-2020-15157: do not follow a redirect to another server, nor answer its challenge', async () => {
    const cdn = await stranger((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="cdn"' }).end()
    })
    const registry = opened.use(await FakeRegistry.start({ auth: { kind: 'basic', accounts } }))
    const blob = registry.addBlob(content)
    const location = `http://127.0.0.1:${cdn.port}/blob`
    registry.fault = ({ headers }) =>
      headers.authorization === undefined ? undefined : { kind: 'answer', status: 307, headers: { location } }
    await assert.rejects(repository(registry.host).document(blob, { limit: 100 }), {
      kind: 'unauthenticated',
    })
    assert.deepEqual(
      cdn.requests.map(({ headers }) => [headers.authorization, headers.cookie]),
      [[undefined, undefined]],
    )
  })

  it('GHSA redirect leak: a blob is fetched from where the registry says, without Authorization', async () => {
    const cdn = await stranger((_, response) => void response.end(content))
    const registry = opened.use(await FakeRegistry.start({ auth: { kind: 'bearer', accounts } }))
    const blob = registry.addBlob(content)
    const location = `http://127.0.0.1:${cdn.port}/blob?signature=x`
    registry.fault = ({ headers }) =>
      headers.authorization === undefined ? undefined : { kind: 'answer', status: 307, headers: { location } }
    assert.deepEqual(Buffer.from(await repository(registry.host).document(blob, { limit: 100 })), content)
    assert.equal(cdn.requests[0]?.headers.authorization, undefined)
    assert.equal(registry.requests.at(-1)?.headers.authorization?.startsWith('Bearer '), true)
  })

  it('are not sent along when a token service redirects', async () => {
    const evil = await stranger()
    const tokens = await stranger((_, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${evil.port}/` }).end()
    })
    const realm = `http://127.0.0.1:${tokens.port}/token`
    const registry = opened.use(await FakeRegistry.start({ auth: { kind: 'bearer', accounts, realm } }))
    await assert.rejects(repository(registry.host).manifest('v1'), /answers with a redirect/)
    assert.equal(evil.requests.length, 0)
  })

  it('CVE-2026-88887: a Link to another origin is refused', async () => {
    const evil = await stranger()
    for (const link of [
      `<http://127.0.0.1:${evil.port}/v2/x>; rel="next"`,
      '<//evil.example/x>; rel="next"',
      '<file:///etc/passwd>; rel=next',
    ]) {
      const registry = opened.use(await FakeRegistry.start())
      registry.fault = () => ({ kind: 'answer', status: 200, headers: { link }, body: '{"tags":["a"]}' })
      await assert.rejects(Array.fromAsync(repository(registry.host).tags()), refused)
    }
    assert.equal(evil.requests.length, 0)
  })
})

describe('redirects', () => {
  const redirected = async (location: string, options: RegistryClientOptions = here) => {
    const { registry, domain } = await secureRegistry()
    const blob = registry.addBlob(content)
    registry.fault = () => ({ kind: 'answer', status: 307, headers: { location } })
    return repository(domain, options).document(blob, { limit: 100 })
  }

  it('never lead from HTTPS to HTTP', async () => {
    const plain = await stranger()
    await assert.rejects(redirected(`http://registry.example.com:${plain.port}/`), /redirects from https to/)
    assert.equal(plain.requests.length, 0)
  })

  it('CVE-2026-65388: never lead to where clouds answer for credentials, by address or by name', async () => {
    await assert.rejects(redirected('https://169.254.169.254/latest/meta-data/'), refused)
    await assert.rejects(redirected('https://[fe80::1]/'), refused)
    const lookup = dns({ 'registry.example.com': '127.0.0.1', 'cdn.example.net': '169.254.169.254' })
    await assert.rejects(redirected('https://cdn.example.net/blob', { lookup }), refused)
  })

  it('of a public registry do not lead inside', async () => {
    const lookup = dns({ 'registry.example.com': '93.184.216.34' })
    using connections = new Connections({
      hosts: { isInsecure: async () => false },
      certificateDirectories: [],
      environment: {},
      maxConnections: 1,
      lookup,
    })
    const endpoint = {
      registry: 'registry.example.com',
      host: 'registry.example.com',
      prefix: '',
      schemes: ['https'],
      verify: true,
      mirror: false,
      namespace: undefined,
    } as const
    for (const inside of [
      'https://127.0.0.1/',
      'https://localhost/',
      'https://10.0.0.1/',
      'https://[fd00::1]/',
    ]) {
      await assert.rejects(connections.guest(endpoint, new URL(inside)), refused)
    }
    await connections.guest(endpoint, new URL('https://93.184.216.35/'))
    await connections.guest(endpoint, new URL('https://10.0.0.1/'), true)
  })

  it('end after a few', async () => {
    const registry = opened.use(await FakeRegistry.start())
    const blob = registry.addBlob(content)
    registry.fault = ({ url }) => ({ kind: 'answer', status: 302, headers: { location: url } })
    await assert.rejects(
      repository(registry.host).document(blob, { limit: 100 }),
      /stopped after 5 redirects/,
    )
  })
})

describe('certificates', () => {
  const failing = async (names: readonly string[], options: { days?: number; trusted?: boolean } = {}) => {
    const tls = await authority.issue(names, options)
    const registry = opened.use(await FakeRegistry.start({ tls }))
    const domain = registry.host.replace('127.0.0.1', 'registry.example.com')
    if (options.trusted !== false) await trust(domain, { 'ca.crt': authority.cert })
    const rejection = repository(domain, here).manifest('v1')
    await assert.rejects(rejection, { kind: 'unavailable', code: 'REGISTRY_CERTIFICATE' })
    assert.deepEqual(registry.log, [])
    return rejection.then(
      () => '',
      (error: Error) => error.message.replaceAll(domain, 'HOST'),
    )
  }

  it('CVE-2025-6032: of an unknown authority, expired or for another host are refused, with what to do', async () => {
    assert.equal(
      await failing(['DNS:registry.example.com'], { trusted: false }),
      'registry HOST: tls: failed to verify certificate: x509: certificate signed by unknown authority; put the ' +
        'authority\'s certificate into /etc/berth/certs.d/HOST/ca.crt, or list HOST in "insecure-registries" if you trust the network',
    )
    assert.match(
      await failing(['DNS:registry.example.com'], { days: -1 }),
      /x509: certificate has expired; whoever runs the registry must renew it, .*HOST in "insecure-registries"/,
    )
    assert.match(
      await failing(['DNS:other.example.com']),
      /certificate is for another host .*other\.example\.com.*; name the registry as its certificate does, or list/,
    )
  })

  it('are trusted by their authority in certs.d, once it is there', async () => {
    const { domain } = await secureRegistry()
    await rm(join(certs, domain), { recursive: true })
    const asked = repository(domain, here)
    await assert.rejects(asked.manifest('v1'), { code: 'REGISTRY_CERTIFICATE' })
    await trust(domain, { 'ca.crt': authority.cert })
    await asked.manifest('v1')
  })

  it('are not looked at where the registry is insecure, and plain HTTP is taken there alone', async () => {
    const tls = await authority.issue(['DNS:other.example.com'])
    for (const started of [await FakeRegistry.start({ tls }), await FakeRegistry.start()]) {
      const registry = opened.use(started)
      registry.addManifest('team/app', 'v1', {}, mediaTypes.ociManifest)
      const domain = registry.host.replace('127.0.0.1', 'registry.example.com')
      await repository(domain, { ...here, insecure: [domain] }).manifest('v1')
      const strict = repository(domain, { ...here, insecure: ['other.example.com'] }).manifest('v1')
      const code = registry.origin.startsWith('https') ? 'REGISTRY_CERTIFICATE' : 'REGISTRY_TLS'
      await assert.rejects(strict, { kind: 'unavailable', code })
    }
  })

  it('says that a registry speaks HTTP where HTTPS is wanted', async () => {
    const registry = opened.use(await FakeRegistry.start())
    const domain = registry.host.replace('127.0.0.1', 'registry.example.com')
    await assert.rejects(repository(domain, here).manifest('v1'), /server gave HTTP response to HTTPS client/)
  })

  it('of our own are shown to the registry that they are for', async () => {
    const mine = await authority.issue(['DNS:client'])
    const tls = await authority.issue(['DNS:registry.example.com'])
    const registry = opened.use(
      await FakeRegistry.start({ tls: { ...tls, ca: authority.cert, requestCert: true } }),
    )
    registry.addManifest('team/app', 'v1', {}, mediaTypes.ociManifest)
    const domain = registry.host.replace('127.0.0.1', 'registry.example.com')
    await trust(domain, { 'ca.crt': authority.cert })
    await assert.rejects(repository(domain, here).manifest('v1'), { kind: 'unavailable' })
    await trust(domain, { 'me.cert': mine.cert, 'me.key': mine.key })
    await repository(domain, here).manifest('v1')
  })

  it('a client certificate without its key is named', async () => {
    await trust('mutual.example.com', { 'client.cert': 'x' })
    await assert.rejects(repository('mutual.example.com').manifest('v1'), {
      code: 'REGISTRY_CERTIFICATES_INVALID',
      message: /missing key client\.key for client certificate client\.cert/,
    })
  })
})

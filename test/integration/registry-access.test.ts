/** A registry with accounts and TLS as a process, while its files change. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { RegistryProcess } from '#test/support/registry-process.ts'
import { TestAuthority } from '#test/support/test-authority.ts'

const REPOSITORY = join(import.meta.dirname, '..', '..')
const PASSWORD = 'sentinel-1'

interface Answer {
  readonly status: number
  readonly challenge: string
  readonly certificate: string
}

/** `berth-registry ARGS`; what it printed. */
async function program(args: readonly string[], stdin = ''): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = execFile(join(REPOSITORY, 'bin/berth-registry'), [...args], (error, stdout, stderr) =>
    error === null ? resolve(stdout) : reject(new Error(stderr)),
  )
  child.stdin?.end(stdin)
  return promise
}

describe('berth registry serve with accounts and TLS', () => {
  const acquired = new AsyncDisposableStack()
  after(() => acquired.disposeAsync())
  let directory: string
  let authority: TestAuthority
  let registry: RegistryProcess
  const at = (name: string): string => join(directory, name)

  async function renew(name: string): Promise<void> {
    const { cert, key } = await authority.issue(['IP:127.0.0.1'])
    await Promise.all([writeFile(at(`${name}.crt`), cert), writeFile(at(`${name}.key`), key)])
  }

  async function ask(path: string, options: RequestOptions = {}): Promise<Answer> {
    const request = httpsRequest(new URL(path, registry.url), {
      ca: authority.cert,
      agent: false,
      ...options,
    })
    request.end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const certificate = (response.socket as TLSSocket).getPeerCertificate().serialNumber
    response.resume()
    await once(response, 'end')
    return {
      status: response.statusCode ?? 0,
      challenge: response.headers['www-authenticate'] ?? '',
      certificate,
    }
  }

  /** Until `path` is answered so; a registry looks at its files once a second. */
  async function becomes(status: number, path: string, options: RequestOptions): Promise<void> {
    const deadline = AbortSignal.timeout(10_000)
    while ((await ask(path, options)).status !== status) await delay(100, undefined, { signal: deadline })
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-access-'))
    acquired.defer(() => rm(directory, { recursive: true }))
    authority = acquired.use(await TestAuthority.make())
    await renew('server')
    await program(['user', 'add', 'ann', '--htpasswd', at('htpasswd')], PASSWORD)
    const tls = ['--tls-cert', at('server.crt'), '--tls-key', at('server.key')]
    registry = acquired.use(await RegistryProcess.start(['--htpasswd', at('htpasswd'), ...tls]))
  })

  it('names an https token endpoint, and takes passwords and tokens', async () => {
    const { host } = new URL(registry.url)
    const first = await ask('/v2/')
    assert.deepEqual(
      [first.status, first.challenge],
      [401, `Bearer realm="https://${host}/token",service="berth-registry"`],
    )
    assert.equal((await ask('/v2/', { auth: `ann:${PASSWORD}` })).status, 200)
    const token = (await program(['token', 'create', 'ci', '--user', 'ann', '--root', registry.root])).trim()
    assert.equal((await ask('/v2/', { auth: `ann:${token}` })).status, 200)
    assert.equal((await ask('/token', { auth: `bob:${token}` })).status, 401)
    await program(['token', 'rm', 'ci', '--user', 'ann', '--root', registry.root])
    assert.equal((await ask('/v2/', { auth: `ann:${token}` })).status, 401)
  })

  it('follows its file of accounts', async () => {
    const accounts = ['--htpasswd', at('htpasswd')]
    await program(['user', 'add', 'bob', ...accounts], 'secret')
    await becomes(200, '/v2/', { auth: 'bob:secret' })
    await program(['user', 'passwd', 'bob', ...accounts], 'other')
    await becomes(401, '/v2/', { auth: 'bob:secret' })
    await program(['user', 'rm', 'bob', ...accounts])
    await becomes(401, '/v2/', { auth: 'bob:other' })
    assert.equal((await ask('/v2/', { auth: `ann:${PASSWORD}` })).status, 200)
  })

  it('shows a new certificate after SIGHUP, and keeps the old one when the new one is damaged', async () => {
    const { certificate } = await ask('/v2/')
    await renew('server')
    process.kill(registry.pid, 'SIGHUP')
    const deadline = AbortSignal.timeout(10_000)
    let renewed = certificate
    while (renewed === certificate) {
      await delay(50, undefined, { signal: deadline })
      renewed = (await ask('/v2/')).certificate
    }
    await writeFile(at('server.crt'), 'damaged')
    process.kill(registry.pid, 'SIGHUP')
    assert.equal((await ask('/v2/')).certificate, renewed)
  })

  it('does not start with a certificate that cannot be used', async () => {
    const { cert, key } = await authority.issue(['IP:127.0.0.1'])
    const other = await authority.issue(['IP:127.0.0.1'])
    await Promise.all([
      writeFile(at('a.crt'), cert),
      writeFile(at('a.key'), key),
      writeFile(at('b.key'), other.key),
    ])
    const serve = (keyFile: string, ...more: string[]): Promise<RegistryProcess> =>
      RegistryProcess.start(['--tls-cert', at('a.crt'), '--tls-key', at(keyFile), ...more])
    await assert.rejects(serve('b.key'), /b\.key is not the key of the certificate/)
    await assert.rejects(serve('c.key'), /cannot read .*c\.key/)
    await assert.rejects(serve('a.key', '--htpasswd', at('a.key')), /HTPASSWD|line 1/i)
  })

  it('lets in only clients with a certificate of the authority, if one is named', async () => {
    await renew('mutual')
    const tls = ['--tls-cert', at('mutual.crt'), '--tls-key', at('mutual.key')]
    const ca = at('ca.crt')
    await writeFile(ca, authority.cert)
    await using mutual = await RegistryProcess.start([...tls, '--tls-client-ca', ca])
    const url = new URL('/v2/', mutual.url)
    const status = async (options: RequestOptions): Promise<number | string> => {
      const request = httpsRequest(url, { ca: authority.cert, agent: false, ...options })
      request.end()
      try {
        const [response] = (await once(request, 'response')) as [IncomingMessage]
        response.resume()
        return response.statusCode ?? 0
      } catch {
        return 'refused'
      }
    }
    await using stranger = await TestAuthority.make()
    const { cert, key } = await authority.issue(['DNS:client'])
    assert.deepEqual(
      [await status({}), await status({ cert, key }), await status(await stranger.issue(['DNS:client']))],
      ['refused', 200, 'refused'],
    )
  })
})

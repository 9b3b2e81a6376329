import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { addressOf } from '#client/endpoint.ts'
import { ClientConfig } from './client-config.ts'
import { contextInUse, resolveTarget, type ConnectionFlags, type Target } from './connection.ts'

const none: ConnectionFlags = {
  host: [],
  context: '',
  tls: false,
  tlsverify: false,
  tlscacert: '',
  tlscert: '',
  tlskey: '',
}
let directory = ''

beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-config-'))))
afterEach(() => rmSync(directory, { recursive: true }))

async function resolve(
  flags: Partial<ConnectionFlags> = {},
  env: Record<string, string> = {},
): Promise<Target & { readonly context: string }> {
  const all = { ...none, ...flags }
  const config = new ClientConfig(directory)
  const inUse = contextInUse(all, config, env)
  return { ...(await resolveTarget(inUse, all, config, env)), context: inUse.name }
}

function store(name: string, host: string): void {
  const path = join(directory, 'contexts/meta', createHash('sha256').update(name).digest('hex'))
  mkdirSync(path, { recursive: true })
  writeFileSync(
    join(path, 'meta.json'),
    JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }),
  )
}

async function address(flags?: Partial<ConnectionFlags>, env?: Record<string, string>): Promise<string> {
  return addressOf((await resolve(flags, env)).endpoint)
}

describe('resolveTarget()', () => {
  it('prefers flags to BERTH_HOST, that to DOCKER_HOST, and that to contexts', async () => {
    store('far', 'tcp://far.example')
    const env = { BERTH_HOST: 'unix:///b', DOCKER_HOST: 'unix:///d', DOCKER_CONTEXT: 'far' }
    assert.equal(await address({ host: ['/h'] }, env), 'unix:///h')
    assert.equal(await address({ context: 'far' }, env), 'tcp://far.example:2375')
    assert.equal(await address({}, env), 'unix:///b')
    assert.equal(await address({}, { ...env, BERTH_HOST: '' }), 'unix:///d')
    assert.equal(await address({}, { DOCKER_CONTEXT: 'far' }), 'tcp://far.example:2375')
    assert.deepEqual(await resolve(), {
      endpoint: { kind: 'unix', path: '/run/berth/berth.sock' },
      context: 'default',
      isDefault: true,
    })
  })

  it('takes the context of the config file', async () => {
    store('near', 'unix:///near')
    writeFileSync(join(directory, 'config.json'), '{"currentContext":"near"}')
    const { endpoint, context, isDefault } = await resolve()
    assert.deepEqual([addressOf(endpoint), context, isDefault], ['unix:///near', 'near', false])
  })

  it('reads TLS material where it is asked for', async () => {
    writeFileSync(join(directory, 'ca.pem'), 'ca')
    const unknown = await resolve({ host: ['tcp://h'], tlsverify: true })
    assert.deepEqual(unknown.endpoint, {
      kind: 'tcp',
      host: 'h',
      port: 2376,
      tls: { ca: 'ca', cert: undefined, key: undefined, verify: true },
    })
    for (const name of ['cert', 'key']) writeFileSync(join(directory, `${name}.pem`), name)
    const { endpoint } = await resolve({ host: ['tcp://h'], tlsverify: true })
    assert.deepEqual(endpoint, {
      kind: 'tcp',
      host: 'h',
      port: 2376,
      tls: { ca: 'ca', cert: 'cert', key: 'key', verify: true },
    })
  })

  it('says what is wrong', async () => {
    await assert.rejects(resolve({ host: ['/a'], context: 'b' }), /conflicting options/)
    await assert.rejects(resolve({ context: 'nope' }), /context "nope" not found/)
    await assert.rejects(resolve({ host: ['ftp://x'] }), /unable to parse docker host `ftp:\/\/x`/)
    writeFileSync(join(directory, 'config.json'), '{')
    await assert.rejects(resolve(), /cannot read .*config\.json/)
  })
})

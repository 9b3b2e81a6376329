import assert from 'node:assert/strict'
import { lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeCaller } from '#test/support/cli.ts'
import { fakeCredentialHelper } from '#test/support/credential-helper.ts'
import { ClientConfig } from '../client-config.ts'
import { CredentialStore } from './credential-store.ts'
import { HUB_KEY, registryServer } from './servers.ts'

const hub = registryServer('docker.io')
const host = registryServer('host:5000')
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('CredentialStore', () => {
  let directory = ''
  let file = ''
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-credentials-'))
    file = join(directory, 'config.json')
  })
  afterEach(() => rm(directory, { recursive: true }))

  async function storeWith(
    document: object | undefined,
    env: Readonly<Record<string, string>> = {},
  ): Promise<CredentialStore> {
    if (document !== undefined) await writeFile(file, JSON.stringify(document))
    const config = new ClientConfig(directory)
    return new CredentialStore({ config, io: new FakeCaller({ env }), signal: new AbortController().signal })
  }
  const written = async (): Promise<Record<string, unknown>> =>
    JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>

  it('reads every form of an entry, and passes empty ones over', async () => {
    const forms: readonly (readonly [object, object | undefined])[] = [
      [{ auth: base64('bob:a:b') }, { username: 'bob', password: 'a:b' }],
      [{ auth: base64('bob:x\0\0') }, { username: 'bob', password: 'x' }],
      [
        { auth: base64('bob:'), identitytoken: 'T' },
        { username: 'bob', identitytoken: 'T' },
      ],
      [{ registrytoken: 'R' }, { registrytoken: 'R' }],
      [
        { username: 'bob', password: 'x' },
        { username: 'bob', password: 'x' },
      ],
      [{}, undefined],
    ]
    for (const [entry, expected] of forms) {
      const store = await storeWith({ auths: { [HUB_KEY]: entry } })
      assert.deepEqual(await store.get(hub, 'library/alpine'), expected)
    }
    const unreadable = await storeWith({ auths: { 'host:5000': { auth: base64('bob') } } })
    await assert.rejects(unreadable.get(host), /unreadable "auth" for host:5000; log in again/)
  })

  it('prefers the longest namespace, and the key as Docker writes it', async () => {
    const entry = (name: string): object => ({ auth: base64(`${name}:x`) })
    const store = await storeWith({
      auths: {
        'https://host:5000/v1/': entry('old'),
        'host:5000': entry('host'),
        'host:5000/team': entry('team'),
        'host:5000/team/app': entry('app'),
      },
    })
    const who = async (path?: string): Promise<string | undefined> => (await store.get(host, path))?.username
    assert.deepEqual(
      [await who(), await who('x/y'), await who('team/z'), await who('team/app')],
      ['host', 'host', 'team', 'app'],
    )
  })

  it('writes what Docker reads, for its owner alone, and leaves the rest of the file as it is', async () => {
    const store = await storeWith({
      zeta: { unknown: [1] },
      auths: { other: { auth: 'eA==', email: 'x@y' }, 'https://host:5000/v2/': { auth: base64('a:b') } },
      HttpHeaders: { A: 'b' },
    })
    assert.deepEqual(await store.put(host, { username: 'bob', password: 's3' }), { where: file, plain: true })
    const document = await written()
    assert.deepEqual(Object.keys(document), ['zeta', 'auths', 'HttpHeaders'])
    assert.deepEqual(document['auths'], {
      other: { auth: 'eA==', email: 'x@y' },
      'host:5000': { auth: base64('bob:s3') },
    })
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(directory), ['config.json'])
    assert.deepEqual(await store.get(host), { username: 'bob', password: 's3' })
  })

  it('keeps an identity token instead of the password', async () => {
    const store = await storeWith(undefined)
    await store.put(hub, { username: 'bob', password: 'secret', identitytoken: 'T' })
    assert.deepEqual(await written(), { auths: { [HUB_KEY]: { auth: base64('bob:'), identitytoken: 'T' } } })
  })

  it('replaces the file that a symlink leads to, and makes a missing directory', async () => {
    const real = join(directory, 'dotfiles', 'docker.json')
    await symlink(join('dotfiles', 'docker.json'), file)
    const store = await storeWith(undefined)
    await store.put(host, { username: 'bob', password: 'x' })
    assert.ok((await lstat(file)).isSymbolicLink())
    assert.match(await readFile(real, 'utf8'), /host:5000/)
  })

  it('leaves a file alone that it does not understand', async () => {
    const store = await storeWith({})
    for (const text of ['{"auths": ', '[]', '7']) {
      await writeFile(file, text)
      await assert.rejects(store.put(host, { username: 'bob', password: 'x' }), /cannot read .*config\.json/)
      assert.equal(await readFile(file, 'utf8'), text)
    }
  })

  it('erases every spelling of a registry, and says whether there was one', async () => {
    const store = await storeWith({
      auths: { 'https://host:5000': {}, 'host:5000/v1/': {}, 'host:5000/team': {}, 'host:50': {} },
    })
    assert.equal(await store.erase(host), true)
    assert.deepEqual((await written())['auths'], { 'host:5000/team': {}, 'host:50': {} })
    assert.equal(await store.erase(host), false)
  })

  it('takes DOCKER_AUTH_CONFIG first', async () => {
    const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'host:5000': { auth: base64('ci:t') } } }) }
    const store = await storeWith({ auths: { 'host:5000': { auth: base64('bob:x') } } }, env)
    assert.equal((await store.get(host))?.username, 'ci')
    const bad = await storeWith({}, { DOCKER_AUTH_CONFIG: '{hunter2' })
    await assert.rejects(bad.get(host), (error: Error) => !error.message.includes('hunter2'))
  })

  describe('with a helper', () => {
    it('stores, gets and erases with it, and leaves no password in the file', async () => {
      const env = await fakeCredentialHelper(directory, 'fake')
      const store = await storeWith(
        { credsStore: 'fake', auths: { 'host:5000': { auth: base64('a:b') } } },
        env,
      )
      assert.equal(await store.get(host), undefined)
      assert.deepEqual(await store.put(host, { username: 'bob', password: 's3' }), {
        where: 'docker-credential-fake',
        plain: false,
      })
      assert.deepEqual((await written())['auths'], { 'host:5000': {} })
      assert.deepEqual(await store.get(host), { username: 'bob', password: 's3' })
      assert.equal(await store.erase(host), true)
      assert.deepEqual((await written())['auths'], {})
      assert.equal(await store.erase(host), false)
      assert.deepEqual((await readFile(join(directory, 'calls'), 'utf8')).trim().split('\n').slice(0, 3), [
        'get host:5000',
        'store {"ServerURL":"host:5000","Username":"bob","Secret":"s3"}',
        'get host:5000',
      ])
    })

    it('marks identity tokens as Docker does', async () => {
      const env = await fakeCredentialHelper(directory, 'fake')
      const store = await storeWith({ credHelpers: { 'host:5000': 'fake' } }, env)
      await store.put(host, { username: 'bob', identitytoken: 'T' })
      assert.match(await readFile(join(directory, 'secret'), 'utf8'), /"Username":"<token>","Secret":"T"/)
      assert.deepEqual(await store.get(host), { identitytoken: 'T' })
    })

    it('asks the one of the registry, and none for a registry whose name only looks like it (CVE-2026-59891)', async () => {
      const env = await fakeCredentialHelper(directory, 'fake')
      const store = await storeWith({ credHelpers: { 'docker.io': 'fake' } }, env)
      assert.equal(await store.get(hub), undefined)
      for (const name of ['docker.io.evil.com', 'host', 'constructor', 'toString']) {
        assert.equal(await store.get(registryServer(name)), undefined)
      }
      assert.equal(await readFile(join(directory, 'calls'), 'utf8'), `get ${HUB_KEY}\n`)
    })

    it('lists what it knows beside what the file knows', async () => {
      const env = await fakeCredentialHelper(directory, 'fake')
      const auths = { [HUB_KEY]: {}, 'ghcr.io': {} }
      const store = await storeWith({ credsStore: 'fake', auths }, env)
      assert.deepEqual(await store.servers(), ['docker.io', 'ghcr.io', 'host:5000'])
    })

    it('that is not installed is an error that says where it is named (CVE-2021-41092)', async () => {
      const document = { credsStore: 'missing', auths: { [HUB_KEY]: { auth: base64('a:b') } } }
      const store = await storeWith(document, { PATH: '/nonexistent' })
      const message = `cannot run the credential helper docker-credential-missing: there is no such program in $PATH; install it, or remove "credsStore" in ${file}`
      await assert.rejects(store.get(hub), { message })
      await assert.rejects(store.put(host, { username: 'bob', password: 'x' }), { message })
      assert.deepEqual(await written(), document)
    })

    it('that fails or talks nonsense is an error without its secrets', async () => {
      const env = await fakeCredentialHelper(directory, 'fake')
      const store = await storeWith({ credsStore: 'fake' }, env)
      await assert.rejects(
        store.get(registryServer('broken')),
        /cannot get the .* for broken: the keychain is locked/,
      )
      await assert.rejects(
        store.get(registryServer('nonsense')),
        (error: Error) => /not a JSON object/.test(error.message) && !error.message.includes('hunter2'),
      )
      const path = await storeWith({ credsStore: '../../bin/sh' }, env)
      await assert.rejects(path.get(host), /names no credential helper/)
    })
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fitOf, HUB_KEY, registryServer, typedServer } from './servers.ts'

describe('registryServer', () => {
  it('files every name of Docker Hub under one key, and others under their host', () => {
    for (const name of ['', 'docker.io', 'index.docker.io', 'registry-1.docker.io', HUB_KEY]) {
      assert.equal(registryServer(name).key, HUB_KEY, name)
    }
    for (const [name, key] of Object.entries({
      'ghcr.io': 'ghcr.io',
      'https://ghcr.io/v2/': 'ghcr.io',
      'http://localhost:5000': 'localhost:5000',
      '[::1]:5000/v2/': '[::1]:5000',
    })) {
      assert.equal(registryServer(name).key, key)
    }
  })
})

describe('typedServer', () => {
  it('refuses what is no host', () => {
    for (const text of ['ftp://host', 'user@host', 'a b', 'host:port', '-u', 'https://', '/host', 'host\n'])
      assert.throws(() => typedServer(text), /names no registry; give its host/, text)
    assert.equal(typedServer('').key, HUB_KEY)
    assert.equal(typedServer('https://host:5000/v2/').key, 'host:5000')
    assert.equal(typedServer('[::1]:5000').key, '[::1]:5000')
  })
})

describe('fitOf', () => {
  const fits = (key: string, domain: string, path?: string): boolean =>
    fitOf(key, registryServer(domain), path) !== undefined

  it('finds a registry under its host, with or without scheme and path of the API', () => {
    for (const key of [
      'host:5000',
      'https://host:5000',
      'http://host:5000/',
      'https://host:5000/v1/',
      'host:5000/v2/',
    ])
      assert.ok(fits(key, 'host:5000', 'a/b'), key)
    for (const key of [HUB_KEY, 'docker.io', 'index.docker.io', 'https://index.docker.io/v2/'])
      assert.ok(fits(key, 'docker.io', 'library/alpine'), key)
  })

  it('takes no registry for another one (CVE-2026-59891)', () => {
    const strangers: readonly (readonly [key: string, domain: string])[] = [
      [HUB_KEY, 'docker.io.evil.com'],
      [HUB_KEY, 'index.docker.io.evil.com'],
      [HUB_KEY, 'evil.com'],
      ['docker.io', 'docker.io.evil.com'],
      ['docker.io', 'mydocker.io'],
      ['docker.io.evil.com', 'docker.io'],
      ['https://evil.com/index.docker.io/v1/', 'docker.io'],
      ['https://index.docker.io@evil.com/v1/', 'docker.io'],
      ['https://index.docker.io:pass@evil.com/', 'docker.io'],
      [HUB_KEY, 'index.docker.io:5000'],
      ['docker.io', 'DOCKER.IO'],
      ['host', 'host:5000'],
      ['host:5000', 'host'],
      ['host:5000', 'host:50000'],
      ['host:443', 'host'],
      ['Host', 'host'],
      ['ghcr.io', 'a.ghcr.io'],
      ['*.ghcr.io', 'a.ghcr.io'],
      ['', 'host'],
      ['/host', 'host'],
      ['//host', 'host'],
      ['ftp://host', 'host'],
    ]
    for (const [key, domain] of strangers) assert.ok(!fits(key, domain, 'a/b'), `${key} for ${domain}`)
  })

  it('keeps the credentials of a namespace within it (CVE-2026-59891)', () => {
    assert.ok(fits('quay.io/team', 'quay.io', 'team/app'))
    assert.ok(fits('quay.io/team/', 'quay.io', 'team'))
    assert.ok(!fits('quay.io/team', 'quay.io', 'team-b/app'))
    assert.ok(!fits('quay.io/team', 'quay.io', 'other/team'))
    assert.ok(!fits('quay.io/team', 'quay.io'))
    assert.ok(!fits('quay.io/team', 'quay.io.evil.com', 'team/app'))
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Endpoint } from './hosts.ts'
import { site, vetRealm } from './realm.ts'

const endpointOf = (host: string, verify = true): Endpoint => ({
  registry: host,
  host,
  prefix: '',
  schemes: ['https'],
  verify,
  mirror: false,
  namespace: undefined,
})

function vet(
  from: string,
  realm: string,
  options: { anonymous?: true; allowed?: string[]; insecure?: true } = {},
) {
  const url = new URL(from)
  return vetRealm({
    realm,
    endpoint: endpointOf(url.host, options.insecure !== true),
    from: url,
    withCredentials: options.anonymous !== true,
    allowed: options.allowed ?? [],
  })
}

const refused = { kind: 'permission_denied', code: 'REGISTRY_TARGET_REFUSED' }

describe('vetRealm()', () => {
  it('takes the registry itself and its own site', () => {
    for (const [from, realm] of [
      ['https://ghcr.io/v2/', 'https://ghcr.io/token'],
      ['https://registry-1.docker.io/v2/', 'https://auth.docker.io/token'],
      ['https://registry.gitlab.com/v2/', 'https://gitlab.com/jwt/auth'],
      ['https://registry.example.co.uk/v2/', 'https://auth.example.co.uk/token'],
      ['https://10.0.0.5:5000/v2/', 'https://10.0.0.5:5001/auth'],
      ['http://127.0.0.1:5000/v2/', 'http://127.0.0.1:5001/auth'],
    ] as const) {
      assert.equal(vet(from, realm).url.href, realm)
    }
  })

  it('CVE-2026-48978: credentials go to no other site, and the error names realm and setting', () => {
    assert.throws(
      () => vet('https://registry.example.com/v2/', 'https://auth.evil.com/token'),
      (error: Error) =>
        /wants tokens fetched from "https:\/\/auth\.evil\.com\/token": refused/.test(error.message) &&
        /list "auth\.evil\.com" in "registry-token-hosts"/.test(error.message),
    )
    for (const realm of [
      'https://docker.io.evil.com/token',
      'https://evilexample.com/token',
      'https://example.com.evil.com/token',
      'https://other.co.uk/token',
      'https://registry.example.com@evil.com/token',
      'https://user:pass@registry.example.com/token',
      'javascript:alert(1)',
      'file:///etc/passwd',
      '//registry.example.com/token',
      '',
    ]) {
      assert.throws(() => vet('https://registry.example.com/v2/', realm), refused, realm)
    }
    assert.throws(() => vet('https://a.co.uk/v2/', 'https://b.co.uk/token'), refused)
    assert.throws(() => vet('https://mine.azurecr.io/v2/', 'https://theirs.azurecr.io/token'), refused)
  })

  it('lets anybody be asked anonymously, but for places inside', () => {
    vet('https://registry.example.com/v2/', 'https://auth.other.com/token', { anonymous: true })
    for (const realm of [
      'https://169.254.169.254/latest/meta-data/',
      'https://[fe80::1]/token',
      'https://[::ffff:169.254.169.254]/token',
      'https://2852039166/token',
      'https://0xa9fea9fe/token',
      'https://10.0.0.1/token',
      'https://192.168.1.1/token',
      'https://127.0.0.1/token',
      'https://localhost/token',
      'https://[::1]/token',
      'https://0/token',
      'https://93.184.216.34/token',
      'https://vault/token',
    ]) {
      assert.throws(() => vet('https://registry.example.com/v2/', realm, { anonymous: true }), refused, realm)
    }
  })

  it('CVE-2026-65388: never leaves HTTPS for HTTP, not even on the same host', () => {
    const [from, realm] = ['https://registry.example.com/v2/', 'http://registry.example.com/token']
    assert.throws(() => vet(from, realm), /it would leave HTTPS/)
    assert.throws(() => vet(from, realm, { allowed: ['registry.example.com'] }), /it would leave HTTPS/)
    vet(from, realm, { insecure: true })
  })

  it('takes link-local addresses from no registry at all', () => {
    for (const from of ['http://127.0.0.1:5000', 'https://10.0.0.5', 'http://localhost:5000']) {
      assert.throws(() => vet(from, `${new URL(from).protocol}//169.254.169.254/token`), refused)
    }
    assert.throws(() => vet('http://10.0.0.5', 'http://127.0.0.1/token'), refused)
  })

  it('takes what the setting names', () => {
    for (const allowed of ['auth.other.com', 'auth.other.com:8443', '*.other.com']) {
      const { trusted } = vet('https://registry.example.com/', 'https://auth.other.com:8443/t', {
        allowed: [allowed],
      })
      assert.equal(trusted, true)
    }
    for (const allowed of ['other.com', 'auth.other.com:443', '*.auth.other.com']) {
      assert.throws(
        () => vet('https://registry.example.com/', 'https://auth.other.com:8443/t', { allowed: [allowed] }),
        refused,
      )
    }
  })
})

describe('site()', () => {
  it('is what somebody registered, rather too long than too short', () => {
    for (const [host, expected] of [
      ['registry-1.docker.io', 'docker.io'],
      ['a.b.example.com', 'example.com'],
      ['r.example.co.uk', 'example.co.uk'],
      ['a.myapp.github.io', 'myapp.github.io'],
      ['1234.dkr.ecr.eu-west-1.amazonaws.com', 'eu-west-1.amazonaws.com'],
    ] as const) {
      assert.equal(site(host), expected)
    }
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type HostsConfig, RegistryHosts } from './hosts.ts'
import { proxyFor } from './proxy.ts'

const hostsOf = async (domain: string, config: HostsConfig = {}) =>
  (await new RegistryHosts(config).readers(domain)).map(({ host, prefix }) => host + prefix)

describe('RegistryHosts', () => {
  it('knows the names of Docker Hub', async () => {
    const hosts = new RegistryHosts({ hubMirrors: ['https://mirror.example'] })
    assert.deepEqual(await hostsOf('docker.io', { hubMirrors: ['https://mirror.example'] }), [
      'mirror.example',
      'registry-1.docker.io',
    ])
    assert.equal((await hosts.registry('docker.io')).host, 'registry-1.docker.io')
    assert.equal((await hosts.search('docker.io')).host, 'index.docker.io')
    assert.deepEqual(await hostsOf('ghcr.io', { hubMirrors: ['https://mirror.example'] }), ['ghcr.io'])
  })

  it('prefers the exact host to a wildcard, and that to the default', async () => {
    const config = {
      mirrors: {
        'a.example.com': ['https://exact'],
        '*.example.com': ['https://wild/prefix/'],
        default: ['https://any'],
      },
    }
    assert.deepEqual(await hostsOf('a.example.com', config), ['exact', 'a.example.com'])
    assert.deepEqual(await hostsOf('b.example.com', config), ['wild/prefix', 'b.example.com'])
    assert.deepEqual(await hostsOf('ghcr.io', config), ['any', 'ghcr.io'])
    assert.deepEqual(await hostsOf('a.example.com', { mirrors: { 'a.example.com': [] } }), ['a.example.com'])
  })

  it('CVE-2025-6032: trusts without a certificate only loopback and what is listed, by host', async () => {
    const hosts = new RegistryHosts({ insecure: ['reg.example:5000', '10.1.0.0/16', 'fd00::/8'] })
    for (const [host, insecure] of [
      ['127.0.0.1:5000', true],
      ['127.9.9.9', true],
      ['localhost:5000', true],
      ['[::1]:5000', true],
      ['reg.example:5000', true],
      ['REG.example:5000', true],
      ['10.1.2.3:5000', true],
      ['[fd00::5]:5000', true],
      ['reg.example', false],
      ['reg.example:5001', false],
      ['10.2.0.1:5000', false],
      ['localhost.evil.com', false],
      ['127.0.0.1.evil.com', false],
      ['docker.io', false],
    ] as const) {
      assert.equal(await hosts.isInsecure(host), insecure, host)
    }
  })

  it('refuses settings that mean something else than was meant', () => {
    for (const config of [
      { hubMirrors: ['mirror.example'] },
      { hubMirrors: ['https://user:pass@mirror.example'] },
      { mirrors: { default: ['https://m/?x=1'] } },
      { insecure: ['http://reg.example'] },
      { insecure: ['10.0.0.0/33'] },
      { insecure: ['reg.example/path'] },
    ]) {
      assert.throws(() => new RegistryHosts(config), { code: 'REGISTRY_SETTING_INVALID' })
    }
  })
})

describe('proxyFor()', () => {
  const environment = {
    HTTPS_PROXY: 'http://proxy:3128',
    http_proxy: 'plain:80',
    NO_PROXY: 'internal.example, .corp.example,10.0.0.0/8,other.example:8443,[fd00::1]',
  }

  it('picks by scheme, and goes straight where it is told to', () => {
    for (const [url, proxy] of [
      ['https://ghcr.io', 'http://proxy:3128'],
      ['http://ghcr.io', 'http://plain:80'],
      ['https://internal.example', undefined],
      ['https://a.internal.example:5000', undefined],
      ['https://notinternal.example', 'http://proxy:3128'],
      ['https://a.corp.example', undefined],
      ['https://corp.example', 'http://proxy:3128'],
      ['https://10.2.3.4', undefined],
      ['https://other.example', 'http://proxy:3128'],
      ['https://other.example:8443', undefined],
      ['https://[fd00::1]', undefined],
      ['http://127.0.0.1:5000', undefined],
      ['http://localhost:5000', undefined],
    ] as const) {
      assert.equal(proxyFor(environment, new URL(url)), proxy, url)
    }
    assert.equal(proxyFor({ HTTPS_PROXY: 'http://p', NO_PROXY: '*' }, new URL('https://x')), undefined)
    assert.equal(proxyFor({}, new URL('https://x')), undefined)
  })
})

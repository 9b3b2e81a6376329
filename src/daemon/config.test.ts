import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readConfig } from './config.ts'

let root: string

before(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-config-'))
})
after(() => rmSync(root, { recursive: true }))

function file(content: unknown): string {
  const path = join(root, 'daemon.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const read = (content: unknown, ...argv: readonly string[]) =>
  readConfig(['--config-file', file(content), ...argv]).config

describe('readConfig()', () => {
  it('prefers the command line to the file, and the file to the defaults', () => {
    const config = read({ 'data-root': '/file', bridge: 'br7', ipv6: true }, '--data-root', '/line')
    assert.equal(config.dataRoot, '/line')
    assert.equal(config.bridge, 'br7')
    assert.equal(config.ipv6, true)
    assert.equal(config.execRoot, '/run/berth')
    assert.deepEqual(config.door.hosts, ['unix:///run/berth/berth.sock'])
  })

  it('takes flags with a value as dockerd does', () => {
    assert.deepEqual(
      [read({}).icc, read({ icc: false }).icc, read({}, '--icc=false').icc],
      [true, false, false],
    )
    assert.equal(read({ icc: false }, '--icc=true').icc, true)
    assert.equal(read({ 'allow-direct-routing': true }).allowDirectRouting, true)
    assert.equal(
      read({ 'allow-direct-routing': true }, '--allow-direct-routing=false').allowDirectRouting,
      false,
    )
    assert.throws(() => read({}, '--icc=perhaps'), /--icc/)
    assert.throws(() => read({}, '--bip=true'), /"bip" is not an IPv4 address/)
  })

  it('takes several addresses, from flags or as hosts', () => {
    const hosts = ['unix:///a.sock', 'tcp://127.0.0.1:2375']
    assert.deepEqual(read({}, '-H', hosts[0] ?? '', '-H', hosts[1] ?? '').door.hosts, hosts)
    assert.deepEqual(read({ hosts }).door.hosts, hosts)
    assert.deepEqual(read({}, `-H=${hosts[0]}`, `-H=${hosts[1]}`).door.hosts, hosts)
  })

  it('makes paths absolute, for programs with other working directories', () => {
    assert.equal(read({}, '--data-root', 'data').dataRoot, join(process.cwd(), 'data'))
  })

  it('refuses what it does not know, by name', () => {
    assert.throws(() => readConfig(['--nonsense']), /Unknown option '--nonsense'.*\nSee 'berthd --help'/)
    assert.throws(() => read({ nonsense: 1, other: 2 }), /unknown key "nonsense", "other"/)
    assert.throws(() => read({}, '--log-level', 'loud'), /unknown log level "loud"/)
  })

  it('refuses values of the wrong kind instead of ignoring them', () => {
    assert.throws(() => read({ 'data-root': 5 }), /"data-root" must be a string/)
    assert.throws(() => read({ ipv6: 'true' }), /"ipv6" must be a boolean/)
    assert.throws(() => read({ hosts: 'unix:///a' }), /"hosts" must be a list of addresses/)
    for (const broken of ['{', '[]', 'null', '1'])
      assert.throws(() => read(broken), /(is not valid JSON|must hold an object)/)
  })

  it('needs a file that was named to be there', () => {
    assert.throws(() => readConfig(['--config-file', '/nonexistent/x']), /cannot read .*x: ENOENT/)
  })

  it('gives help and version also with a broken file', () => {
    assert.equal(readConfig(['--help', '--config-file', file('{')]).help, true)
    assert.equal(readConfig(['-v', '--config-file', file('{')]).version, true)
  })
})

describe('the settings for registries', () => {
  it('come from flags, else from the file, where lists have plural names', () => {
    const file = {
      'registry-mirrors': ['https://mirror.example'],
      'insecure-registries': ['reg.example:5000', '10.0.0.0/8'],
      'registry-token-hosts': ['auth.example'],
      'max-concurrent-downloads': 2,
      mirrors: { 'GHCR.io': ['https://cache.example/ghcr'] },
    }
    assert.deepEqual(read(file).registries, {
      hubMirrors: ['https://mirror.example'],
      mirrors: { 'ghcr.io': ['https://cache.example/ghcr'] },
      insecure: ['reg.example:5000', '10.0.0.0/8'],
      tokenHosts: ['auth.example'],
      maxDownloadAttempts: 5,
      proxies: {},
    })
    assert.equal(read({ 'push-compression': 'zstd' }).transfers.pushCompression, 'zstd')
    const line = ['--insecure-registry', 'a:1', '--insecure-registry', 'b', '--max-concurrent-downloads', '9']
    const { registries, transfers } = read(file, ...line)
    assert.deepEqual([registries.insecure, transfers.maxDownloads], [['a:1', 'b'], 9])
    assert.equal(read(file).transfers.maxDownloads, 2)
  })

  it('are refused by name when they cannot be understood', () => {
    assert.throws(
      () => read({ 'registry-mirrors': 'https://x' }),
      /"registry-mirrors" must be a list of strings/,
    )
    assert.throws(() => read({ mirrors: [] }), /"mirrors" must be an object/)
    assert.throws(() => read({ 'insecure-registries': ['https://x'] }), /should not contain ':\/\/'/)
    assert.throws(() => read({ 'max-concurrent-downloads': 0 }), /must be a number from 1 to 1000/)
    assert.throws(() => read({ 'push-compression': 'xz' }), /"push-compression" must be gzip or zstd/)
  })
})

describe('settings of published ports', () => {
  it('are open and everywhere unless something else is said', () => {
    assert.deepEqual([read({}).firewall, read({}).publishDefault], ['open', ''])
    const set = read({ firewall: 'respect' }, '--publish-default', '[::1]')
    assert.deepEqual([set.firewall, set.publishDefault], ['respect', '::1'])
    assert.throws(() => read({ firewall: 'off' }), /unknown firewall mode "off": want open or respect/)
    assert.throws(() => read({ 'publish-default': 'localhost' }), /"localhost" is not an IP address/)
  })
})

describe("dockerd's keys", () => {
  it('may be in the file where they ask for what is so', () => {
    const file = {
      'exec-opts': ['native.cgroupdriver=cgroupfs'],
      features: { buildkit: true },
      experimental: true,
      iptables: true,
      'userns-remap': '',
      'storage-opts': [],
      runtimes: {},
      'shutdown-timeout': 15,
      ip: '127.0.0.1',
      mtu: 1400,
      'default-network-opts': { bridge: { 'com.docker.network.driver.mtu': '1400' } },
      proxies: { 'http-proxy': 'http://a:1', 'no-proxy': 'b' },
    }
    const { publishDefault, networks, registries } = read(file, '--http-proxy', 'http://c:2')
    assert.equal(publishDefault, '127.0.0.1')
    assert.deepEqual([networks.mtu, networks.options], [1400, file['default-network-opts']])
    assert.deepEqual(registries.proxies, { HTTP_PROXY: 'http://c:2', NO_PROXY: 'b' })
    assert.equal(read(file, '--mtu', '9000').networks.mtu, 9000)
    assert.equal(read({ 'publish-default': '::1' }, '--ip', '127.0.0.1').publishDefault, '127.0.0.1')
  })

  it('may be flags as well, as units for dockerd have them', () => {
    const flags = [
      '--containerd=/run/containerd/containerd.sock',
      '--exec-opt',
      'native.cgroupdriver=cgroupfs',
    ]
    const more = ['--userland-proxy=true', '--iptables=true', '--live-restore', '--default-network-opt']
    const { networks } = read('', ...flags, ...more, 'bridge=com.docker.network.driver.mtu=1400')
    assert.deepEqual(networks.options, { bridge: { 'com.docker.network.driver.mtu': '1400' } })
    assert.equal(read({ features: { buildkit: true } }, '--feature', 'buildkit=false').builder.classic, true)
    assert.equal(read({ features: { buildkit: false } }).builder.classic, true)
    assert.equal(read({}, '--feature', 'other').builder.classic, false)
    assert.throws(() => read({}, '--feature', 'buildkit=perhaps'), /want NAME, NAME=true or NAME=false/)
    assert.throws(() => read({}, '--iptables=false'), /^EngineError: "iptables" is always true here$/)
    assert.throws(() => read({}, '--exec-opt', 'native.cgroupdriver=systemd'), /"exec-opts" can only be/)
    assert.throws(() => read({}, '--metrics-addr', '127.0.0.1:9323'), /"metrics-addr" is not here/)
    assert.throws(() => read({}, '--default-network-opt', 'bridge'), /want DRIVER=OPTION=VALUE/)
  })

  it('are refused where what they ask for cannot be had', () => {
    const refusals: readonly [object, RegExp][] = [
      [
        { 'exec-opts': ['native.cgroupdriver=systemd'] },
        /"exec-opts" can only be native.cgroupdriver=cgroupfs/,
      ],
      [{ iptables: false }, /"iptables" is always true here$/],
      [{ 'userns-remap': 'default' }, /"userns-remap" is not here/],
      [{ runtimes: { kata: {} } }, /"runtimes": "kata": "path" of an OCI runtime is missing/],
      [{ mtu: 12 }, /"mtu" must be a number of bytes/],
      [{ 'default-network-opts': { bridge: { a: 1 } } }, /bridge: a must be a string/],
      [{ 'live-restore': false }, /configuration file \S+: "live-restore" is always true here$/],
      [{ proxies: { ftp: 'x' } }, /"proxies": unknown key "ftp"/],
      [{ nonsense: 1 }, /unknown key "nonsense"/],
      [{ constructor: 1 }, /unknown key "constructor"/],
    ]
    for (const [file, message] of refusals) assert.throws(() => read(file), message)
  })
})

describe('the registry of the engine itself', () => {
  it('is served when a flag or a section of the file says so, below the data root', () => {
    assert.equal(read({}).ownRegistry, undefined)
    const { listen, root } = read({ 'data-root': '/d', registry: {} }).ownRegistry ?? {}
    assert.deepEqual([listen, root], [{ host: '127.0.0.1', port: 5000 }, '/d/registry'])
    const both = read(
      { registry: { listen: '127.0.0.1:1', 'read-only': true } },
      '--registry-listen',
      '[::1]:2',
    )
    assert.deepEqual(both.ownRegistry?.listen, { host: '::1', port: 2 })
    assert.equal(both.ownRegistry.readOnly, true)
  })

  it('is refused by the name of the setting', () => {
    const refuses = (registry: unknown, why: RegExp): void => assert.throws(() => read({ registry }), why)
    refuses('127.0.0.1:5000', /setting "registry" \(--registry-listen\): want an object/)
    refuses({ root: '/x' }, /setting "registry".*: root is always .*\/registry/)
    refuses({ listne: '1' }, /setting "registry".*: listne is not a setting/)
    assert.throws(
      () => read({}, '--registry-listen', 'here'),
      /setting "registry".*: listen: want ADDRESS:PORT/,
    )
  })
})

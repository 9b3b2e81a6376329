import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { encodeShimConfig } from './shim-config.ts'
import type { ShimConfig } from './shim.ts'

const link = {
  veth: 'v1',
  bridge: 'berth0',
  mtu: 1500,
  mac: '02:00:00:00:00:01',
  addresses: ['172.17.0.2/16', 'fd00::2/64'],
  gateways: ['172.17.0.1'],
}

const config: ShimConfig = {
  id: 'a'.repeat(64),
  runtime: '/usr/bin/crun',
  runtimeRoot: '/run/berth/crun',
  bundle: '/b',
  rootfs: '/b/rootfs',
  lower: ['/l/top', '/l/bottom'],
  upper: '/u',
  work: '/w',
  volatile: true,
  hide: '/mnt',
  tty: false,
  stdin: true,
  stdinOnce: true,
  log: { file: '/log', maxSize: 1000, maxFiles: 3 },
  exitRecord: '/exit',
  cgroup: { version: 'v2', directory: '/sys/fs/cgroup/x' },
  network: {
    mode: 'new',
    link,
    moreLinks: [{ ...link, veth: 'v2', gateways: [] }],
    sysctls: { 'net.core.somaxconn': '1024' },
  },
  shares: [
    { source: '/with blank', destination: '/b/share' },
    { source: '/other', destination: '/b/follow', follows: true },
  ],
}

describe('encodeShimConfig()', () => {
  it('says what is to be pinned', () => {
    const disk = { uid: 1000, gid: 1001 }
    const pins = [
      { source: '/with blank', destination: '/b/pins/0', path: 'a b/c' },
      { source: '/bind', destination: '/b/pins/1', alone: true, owners: { disk, shown: { uid: 0, gid: 0 } } },
      { source: '/dev/shm', destination: '/b/pins/shm', process: 77 },
    ]
    const lines = encodeShimConfig({ ...config, pins }).split('\n')
    assert.deepEqual(
      lines.filter((line) => line.startsWith('pin')),
      [
        'pin /b/pins/0 /with blank',
        'pin-path a b/c',
        'pin /b/pins/1 /bind',
        'pin-alone 1',
        'pin-owners 1000 0 1001 0',
        'pin /b/pins/shm /dev/shm',
        'pin-process 77',
      ],
    )
    const forged = [{ source: '/x', destination: '/b/pins/0', path: 'a\nshare /b /' }]
    assert.throws(() => encodeShimConfig({ ...config, pins: forged }), /invalid character in pin-path/)
  })

  it('writes a line for each thing there is to know', () => {
    assert.deepEqual(encodeShimConfig(config).split('\n'), [
      `id ${'a'.repeat(64)}`,
      'runtime /usr/bin/crun',
      'runtime-root /run/berth/crun',
      'bundle /b',
      'rootfs /b/rootfs',
      'lower /l/top',
      'lower /l/bottom',
      'upper /u',
      'work /w',
      'volatile 1',
      'hide /mnt',
      'stdin 1',
      'stdin-once 1',
      'log /log',
      'log-max-size 1000',
      'log-max-files 3',
      'exit-record /exit',
      'cgroup v2 /sys/fs/cgroup/x',
      'net new',
      'veth v1',
      'bridge berth0',
      'mtu 1500',
      'mac 02:00:00:00:00:01',
      'ip 172.17.0.2/16',
      'ip fd00::2/64',
      'gateway 172.17.0.1',
      'veth v2',
      'bridge berth0',
      'mtu 1500',
      'mac 02:00:00:00:00:01',
      'ip 172.17.0.2/16',
      'ip fd00::2/64',
      'sysctl net.core.somaxconn 1024',
      'share /b/share /with blank',
      'follow /b/follow /other',
      '',
    ])
  })

  it('puts interfaces on links of the host', () => {
    const own = { mtu: 0, addresses: ['10.0.0.2/24'], gateways: ['0.0.0.0'] }
    const network = {
      mode: 'new',
      link: { ...own, on: { kind: 'macvlan', mode: 'vepa', parent: 'eth0.10' }, mac: '02:00:00:00:00:01' },
      moreLinks: [
        { ...own, on: { kind: 'ipvlan', mode: 'l3', flag: 'private', parent: 'eth0' }, name: 'lan' },
      ],
      sysctls: {},
    } as const
    assert.deepEqual(
      encodeShimConfig({ ...config, network, shares: [] })
        .split('\n')
        .slice(19),
      [
        'macvlan vepa eth0.10',
        'mac 02:00:00:00:00:01',
        'ip 10.0.0.2/24',
        'gateway 0.0.0.0',
        'ipvlan l3 private eth0',
        'ifname lan',
        'ip 10.0.0.2/24',
        'gateway 0.0.0.0',
        '',
      ],
    )
  })

  it('joins a namespace or none at all', () => {
    const netOf = (network: ShimConfig['network']): string | undefined =>
      encodeShimConfig({ ...config, network })
        .split('\n')
        .find((line) => line.startsWith('net '))
    assert.equal(netOf({ mode: 'host' }), 'net host')
    assert.equal(netOf({ mode: 'join', path: '/proc/7/ns/net' }), 'net /proc/7/ns/net')
    assert.equal(netOf({ mode: 'none', sysctls: {} }), 'net none')
  })

  it('refuses values that would become other keys', () => {
    const invalid = (error: unknown): boolean => isKind(error, 'invalid_argument')
    const sysctls = { 'net.core.somaxconn': '1\nhide /' }
    assert.throws(() => encodeShimConfig({ ...config, network: { mode: 'none', sysctls } }), invalid)
    assert.throws(() => encodeShimConfig({ ...config, upper: '/a\nlower /etc' }), invalid)
    assert.throws(
      () => encodeShimConfig({ ...config, shares: [{ source: '/a', destination: '/b c' }] }),
      invalid,
    )
  })
})

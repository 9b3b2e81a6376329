import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { narrow, parseCount, parseKeyed, scale } from './count.ts'
import { parseMountinfo } from './mountinfo.ts'
import { parseNetDev } from './net-dev.ts'
import { parseStartTime, processStartTime } from './process-stat.ts'
import { hostResolvConf, parseResolvConf, reachableServers } from './resolv-conf.ts'
import { parseMeminfo, parseSystemCpu } from './system-stat.ts'

describe('parseCount()', () => {
  it('is exact for every 64-bit counter', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        const count = parseCount(`${value}\n`)
        assert.equal(BigInt(count ?? -1), value)
        assert.equal(typeof count, value <= 2n ** 53n - 1n ? 'number' : 'bigint')
      }),
    )
    assert.deepEqual(
      [parseCount('max'), parseCount(''), parseCount(undefined)],
      [undefined, undefined, undefined],
    )
    assert.equal(scale(9_007_199_254_740_991, 1000), 9_007_199_254_740_991_000n)
    assert.equal(narrow(5n), 5)
  })

  it('parseKeyed() leaves out what is no counter', () => {
    assert.deepEqual(
      [...parseKeyed('anon 1\nfile x\n\nslab 3\n')],
      [
        ['anon', 1],
        ['slab', 3],
      ],
    )
  })
})

describe('parseStartTime()', () => {
  it('reads field 22 whatever the name of the program', () => {
    const rest = Array.from({ length: 30 }, (_, i) => String(i + 4)).join(' ')
    assert.equal(parseStartTime(`7 (a) b) S ${rest}`), '22')
  })

  it('tells a live process from a gone one', async () => {
    assert.match((await processStartTime(process.pid)) ?? '', /^\d+$/)
    assert.equal(await processStartTime(2 ** 30), undefined)
  })
})

describe('parseSystemCpu(), parseMeminfo()', () => {
  it('add up all processors, guest times once', () => {
    const stat = 'cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n'
    assert.deepEqual(parseSystemCpu(stat), { total: 2_800_000_000, onlineCpus: 2 })
    assert.equal(
      parseMeminfo('MemTotal:       24684084 kB\nHugePages_Total:       3\n').get('MemTotal'),
      25276502016,
    )
  })
})

describe('parseNetDev()', () => {
  it('gives the links without the loopback', () => {
    const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 3014599     239    0    0    0     0          0         0  3014599     239    0    0    0     0       0          0
  eth0:454114666    9882    1    2    0     0          0         0   544491    5371    3    4    0     0       0          0
`
    assert.deepEqual(parseNetDev(text), [
      {
        name: 'eth0',
        rxBytes: 454114666,
        rxPackets: 9882,
        rxErrors: 1,
        rxDropped: 2,
        txBytes: 544491,
        txPackets: 5371,
        txErrors: 3,
        txDropped: 4,
      },
    ])
  })
})

describe('parseMountinfo()', () => {
  it('reads optional fields and escapes', () => {
    const text =
      '36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n35 1 0:1 / / rw - cgroup cgroup rw,cpu,cpuacct\n'
    const [first, second] = parseMountinfo(text)
    assert.deepEqual(first, {
      id: 36,
      parent: 35,
      device: '98:0',
      root: '/mnt1',
      mountPoint: '/mnt two',
      options: ['rw', 'noatime'],
      propagation: ['master:1', 'shared:2'],
      type: 'ext3',
      source: '/dev/root',
      superOptions: ['rw', 'errors=continue'],
    })
    assert.deepEqual([second?.propagation, second?.superOptions], [[], ['rw', 'cpu', 'cpuacct']])
  })
})

describe('hostResolvConf()', () => {
  const files = (entries: Record<string, string>) => (path: string) =>
    path in entries
      ? Promise.resolve(entries[path] ?? '')
      : Promise.reject(Object.assign(new Error('no file'), { code: 'ENOENT' }))

  it("looks behind systemd-resolved's stub", async () => {
    const read = files({
      '/etc/resolv.conf': 'nameserver 127.0.0.53\noptions edns0\nsearch a.example\n',
      '/run/systemd/resolve/resolv.conf':
        '# real\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch b.example\n',
    })
    const conf = await hostResolvConf(read)
    assert.deepEqual(conf, { nameservers: ['192.0.2.1', '2001:db8::1'], search: ['b.example'], options: [] })
    assert.deepEqual(reachableServers(conf, { ipv6: false }), ['192.0.2.1'])
    assert.deepEqual(reachableServers(conf, { ipv6: true }), ['192.0.2.1', '2001:db8::1'])
  })

  it('is empty without a file, and a container then gets public servers', async () => {
    const conf = await hostResolvConf(files({}))
    assert.deepEqual(conf, { nameservers: [], search: [], options: [] })
    assert.deepEqual(reachableServers(conf, { ipv6: false }), ['8.8.8.8', '8.8.4.4'])
    assert.equal(
      reachableServers(parseResolvConf('nameserver 127.0.0.1\nnameserver ::1'), { ipv6: true }).length,
      4,
    )
  })

  it('parses as the resolver does', () => {
    assert.deepEqual(
      parseResolvConf('domain x\nsearch a b # c\noptions ndots:2\noptions rotate ;x\n nameserver\t1.2.3.4\n'),
      {
        nameservers: ['1.2.3.4'],
        search: ['a', 'b'],
        options: ['ndots:2', 'rotate'],
      },
    )
  })
})

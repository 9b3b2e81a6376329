import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseResolvConf } from '#os/proc/resolv-conf.ts'
import { hostnameFile, hostsFile, resolvConfFile, splitExtraHost } from './files.ts'
import type { HostsInput, ResolvConfInput } from './files.ts'

describe('hostsFile()', () => {
  const hosts = (changes: Partial<HostsInput> = {}) =>
    hostsFile({
      hostHosts: undefined,
      extraHosts: [],
      hostGateways: ['172.17.0.1'],
      hostname: 'box',
      domainname: '',
      addresses: ['172.17.0.2'],
      ...changes,
    })

  it('has the loopback names, the extra hosts and the container, in that order', () => {
    const extraHosts = ['db:10.0.0.5', 'gw:host-gateway', 'six:[fd00::1]', 'seven=fd00::2']
    assert.equal(
      hosts({ extraHosts, addresses: ['172.17.0.2', 'fd00::9'] }),
      `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
10.0.0.5\tdb
172.17.0.1\tgw
fd00::1\tsix
fd00::2\tseven
172.17.0.2\tbox
fd00::9\tbox
`,
    )
  })

  it('has no IPv6 where that is switched off', () =>
    assert.equal(hosts({ withoutIpv6: true }), '127.0.0.1\tlocalhost\n172.17.0.2\tbox\n'))

  it('has the short name after the full one', () => {
    assert.match(hosts({ domainname: 'example.org' }), /^172\.17\.0\.2\tbox\.example\.org box$/m)
    assert.match(hosts({ hostname: 'a.b' }), /^172\.17\.0\.2\ta\.b a$/m)
  })

  it('is the file of the host on its network', () => {
    const hostHosts = '127.0.0.1 localhost\n10.0.0.1 me'
    assert.equal(hosts({ hostHosts, addresses: [] }), `${hostHosts}\n`)
    assert.equal(hosts({ hostHosts, addresses: [], extraHosts: ['x:1.1.1.1'] }), `${hostHosts}\n1.1.1.1\tx\n`)
  })
})

describe('splitExtraHost()', () => {
  it('splits at the first separator', () => {
    assert.deepEqual(splitExtraHost('a:::1'), { name: 'a', address: '::1' })
    assert.deepEqual(splitExtraHost('a'), { name: 'a', address: '' })
  })
})

describe('hostnameFile()', () => {
  it('is one line', () => assert.equal(hostnameFile('box'), 'box\n'))
})

describe('resolvConfFile()', () => {
  const HOST = `# a comment
nameserver 127.0.0.53
nameserver 10.0.0.1
nameserver fd00::53
nameserver fe80::1%eth0
domain ignored
search example.org corp
options edns0 ; trailing
`
  /** The lines that mean something. */
  const resolv = (changes: Partial<ResolvConfInput> = {}) =>
    resolvConfFile({
      host: parseResolvConf(HOST),
      servers: [],
      search: [],
      options: [],
      keepLoopback: false,
      ipv6: false,
      ...changes,
    })
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))

  it('keeps the servers of the host that the container can reach', () => {
    assert.deepEqual(resolv(), ['nameserver 10.0.0.1', 'search example.org corp', 'options edns0'])
    assert.deepEqual(resolv({ ipv6: true }).slice(0, 2), ['nameserver 10.0.0.1', 'nameserver fd00::53'])
    assert.equal(resolv({ keepLoopback: true })[0], 'nameserver 127.0.0.53')
  })

  it('falls back to public servers', () => {
    const host = parseResolvConf('nameserver 127.0.0.1\n')
    assert.deepEqual(resolv({ host }), ['nameserver 8.8.8.8', 'nameserver 8.8.4.4'])
    assert.equal(resolv({ host: parseResolvConf(''), ipv6: true }).length, 4)
  })

  it('says whom the engine asks', () => {
    const said = (text: string) => {
      const file = { host: parseResolvConf(text), servers: [], search: [], options: [], embedded: true }
      return resolvConfFile({ ...file, keepLoopback: false, ipv6: false })
        .split('\n')
        .at(-2)
    }
    for (const text of ['nameserver 127.0.0.53\n', 'nameserver 10.0.0.1\n'])
      assert.equal(said(text), '# The engine answers; it asks the name servers of the host.')
  })

  it('takes what the user says instead', () => {
    assert.deepEqual(resolv({ servers: ['127.0.0.1'], search: ['.'], options: ['ndots:2'] }), [
      'nameserver 127.0.0.1',
      'options ndots:2',
    ])
  })
})

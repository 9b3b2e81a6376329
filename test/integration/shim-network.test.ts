import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { open, readlink } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import type { ShimNetwork, ShimPair } from '#runtime/shim.ts'
import { type ShimContainer, ShimContainers, framed } from '#test/support/shim-containers.ts'

const run = promisify(execFile)
const both = { stdin: false, stdout: true, stderr: true }

// The test's own bridge lies in the host's namespace, under a name of this process; nothing is routed to it.
const suffix = process.pid.toString(36)
const bridge = `bt${suffix}`

const link = (number: number, more: Partial<ShimPair> = {}): ShimPair => ({
  veth: `bv${suffix}${number}`,
  bridge,
  mtu: 1400,
  mac: `02:42:0a:63:00:0${number}`,
  addresses: [`10.99.0.${number}/24`, `fd00:99::${number}/64`],
  gateways: ['10.99.0.1', 'fd00:99::1'],
  ...more,
})
const network = (number: number, more: Partial<Extract<ShimNetwork, { mode: 'new' | 'none' }>> = {}) => ({
  network: { mode: 'new', link: link(number), sysctls: {}, ...more } as const,
})

let containers: ShimContainers
before(async () => {
  await run('ip', ['link', 'add', bridge, 'type', 'bridge'])
  await run('ip', ['link', 'set', bridge, 'up'])
  containers = await ShimContainers.open('shim-network')
})
after(async () => {
  await containers[Symbol.asyncDispose]()
  await run('ip', ['link', 'del', bridge])
})

/** What the shell commands print inside a running container. */
async function inside(container: ShimContainer, id: string, script: string): Promise<string> {
  await containers.writeExec(container, id, { args: ['sh', '-c', script] })
  const { stream } = await container.shim.exec(id, false, both)
  const { stdout, stderr } = stream === undefined ? { stdout: '', stderr: '' } : await framed(stream)
  return stdout + stderr
}

describe('network of a shim', () => {
  it('is a pair into the bridge with addresses, routes, mtu and mac', async () => {
    const container = await containers.start({ args: ['sleep', '1000'], shim: network(2) })
    const shown = await inside(container, 'show', 'ip addr; ip route; ip -6 route; ip addr show lo')
    for (const expected of [
      /eth0@if\d+: <BROADCAST,MULTICAST,UP,LOWER_UP.*mtu 1400/,
      /link\/ether 02:42:0a:63:00:02/,
      /inet 10\.99\.0\.2\/24 brd 10\.99\.0\.255 scope global eth0/,
      /inet6 fd00:99::2\/64 scope global/,
      /default via 10\.99\.0\.1 dev eth0/,
      /default via fd00:99::1 dev eth0/,
      /inet 127\.0\.0\.1\/8/,
    ]) {
      assert.match(shown, expected)
    }
    assert.doesNotMatch(shown, /global tentative/)
    const host = (await run('ip', ['-d', 'link', 'show', link(2).veth])).stdout
    assert.match(host, new RegExp(`master ${bridge} state UP`))
    assert.match(host, /mtu 1400/)
    assert.notEqual(await readlink(`/proc/${container.shim.pid}/ns/net`), await readlink('/proc/self/ns/net'))
  })

  it('connects two containers, in both protocols', async () => {
    const server = await containers.start({
      args: ['nc', '-ll', '-p', '8080', '-e', 'echo', 'hello'],
      shim: network(3),
    })
    const client = await containers.start({ args: ['sleep', '1000'], shim: network(4) })
    const ask = (address: string): string => `until nc ${address} 8080 2>/dev/null; do usleep 10000; done`
    assert.equal(await inside(client, 'four', ask('10.99.0.3')), 'hello\n')
    assert.equal(await inside(client, 'six', ask('fd00:99::3')), 'hello\n')
    assert.equal(await server.shim.kill('init', 9), true)
  })

  it('may have several links, and sysctls that the links obey', async () => {
    const shim = network(5, {
      moreLinks: [link(6, { gateways: [], mac: '02:42:0a:63:01:06', addresses: ['10.98.0.6/16'] })],
      sysctls: { 'net.ipv4.conf.eth1.forwarding': '1', 'net.ipv4.ip_unprivileged_port_start': '0' },
    })
    const container = await containers.start({ args: ['sleep', '1000'], shim })
    const shown = await inside(
      container,
      'show',
      'ip addr show eth1; cat /proc/sys/net/ipv4/conf/eth1/forwarding /proc/sys/net/ipv4/ip_unprivileged_port_start',
    )
    assert.match(shown, /inet 10\.98\.0\.6\/16 brd 10\.98\.255\.255 scope global eth1/)
    assert.match(shown, /\n1\n0\n$/)
  })

  it('is an interface on a link of the host, with default routes to the link itself', async () => {
    const on = { kind: 'macvlan', mode: 'bridge', parent: bridge } as const
    const own = { mtu: 1300, mac: '02:42:0a:63:00:10', addresses: ['10.97.0.2/24', 'fd00:97::2/64'] }
    const shim = network(0, { link: { ...own, on, name: 'lan0', gateways: ['0.0.0.0', '::'] } })
    const container = await containers.start({ args: ['sleep', '1000'], shim })
    const shown = await inside(container, 'show', 'ip addr show dev lan0; ip route; ip -6 route')
    for (const expected of [
      /lan0@if\d+: .*mtu 1300/,
      /link\/ether 02:42:0a:63:00:10/,
      /inet 10\.97\.0\.2\/24/,
      /default dev lan0/,
      /default dev lan0  metric/,
    ]) {
      assert.match(shown, expected)
    }
    assert.equal((await run('ip', ['-o', 'link', 'show', 'type', 'macvlan'])).stdout, '')
  })

  it('takes over a link of its name that an earlier life left', async () => {
    await run('ip', ['link', 'add', link(7).veth, 'type', 'veth', 'peer', 'name', `bp${suffix}`])
    const container = await containers.start({ args: ['sleep', '1000'], shim: network(7) })
    assert.match(await inside(container, 'show', 'ip addr'), /10\.99\.0\.7/)
    await assert.rejects(run('ip', ['link', 'show', `bp${suffix}`]), /does not exist/)
  })

  it('is only a loopback, the host’s, or that of another container', async () => {
    const none = await containers.start({ args: ['sleep', '1000'] })
    assert.match(await inside(none, 'show', 'ip -o link'), /^1: lo: <LOOPBACK,UP,LOWER_UP>[^\n]*\n$/)

    const host = await containers.start({ args: ['sleep', '1000'], shim: { network: { mode: 'host' } } })
    assert.equal(await readlink(`/proc/${host.shim.pid}/ns/net`), await readlink('/proc/self/ns/net'))

    const path = `/proc/${none.initPid}/ns/net`
    const joined = await containers.start({
      args: ['sleep', '1000'],
      shim: { network: { mode: 'join', path } },
    })
    assert.equal(await readlink(`/proc/${joined.initPid}/ns/net`), await readlink(path))
  })

  it('says what it could not do', async () => {
    for (const [shim, words] of [
      [network(8, { link: link(8, { bridge: 'nowhere' }) }), /bridge nowhere: no such device/i],
      [
        network(8, {
          link: {
            on: { kind: 'macvlan', mode: 'bridge', parent: 'nowhere' },
            mtu: 0,
            addresses: [],
            gateways: [],
          },
        }),
        /the requested parent interface nowhere was not found on the Docker host/,
      ],
      [
        network(8, {
          link: {
            on: { kind: 'ipvlan', mode: 'sideways', flag: 'bridge', parent: bridge },
            mtu: 0,
            addresses: [],
            gateways: [],
          },
        }),
        /invalid mode or flag sideways/,
      ],
      [
        network(8, { link: link(8, { addresses: ['10.99.0.300/24'] }) }),
        /invalid address 10\.99\.0\.300\/24/,
      ],
      [
        network(8, { link: link(8, { gateways: ['192.168.55.1'] }) }),
        /192\.168\.55\.1: .*unreachable.*\(.*gateway.*\)/i,
      ],
      [
        network(8, { sysctls: { 'kernel.hostname': 'x' } }),
        /sysctl kernel\.hostname is not in the network namespace/,
      ],
      [network(8, { sysctls: { 'net.nosuch.thing': '1' } }), /sysctl net\.nosuch\.thing=1: no such file/i],
      [
        { network: { mode: 'join', path: '/proc/1/ns/nosuch' } as const },
        /join network namespace .*no such file/i,
      ],
    ] as const) {
      const { events } = await containers.spawn({ args: ['true'], shim })
      await events.done
      assert.match((await events.next('error')).message, words)
    }
  })

  it('is silent once its container has ended, whoever keeps the namespace', async () => {
    const container = await containers.start({ args: ['sleep', '1000'], shim: network(8) })
    const kept = await open(`/proc/${container.shim.pid}/ns/net`)
    const shown = (...filter: readonly string[]): Promise<{ stdout: string }> =>
      run('nsenter', [`--net=/proc/${process.pid}/fd/${kept.fd}`, 'ip', '-o', 'link', 'show', ...filter])
    try {
      assert.match((await shown('up')).stdout, /eth0/)
      await container.shim.kill('init', 9)
      await container.events.done
      assert.match((await shown()).stdout, /eth0/)
      assert.doesNotMatch((await shown('up')).stdout, /eth0/)
    } finally {
      await kept.close()
    }
  })

  it('vanishes with its shim', async () => {
    const container = await containers.start({ args: ['sleep', '1000'], shim: network(9) })
    await container.shim.kill('init', 9)
    await container.events.done
    // The kernel takes namespaces apart in its own time.
    const exists = (): Promise<boolean> =>
      run('ip', ['link', 'show', link(9).veth]).then(
        () => true,
        () => false,
      )
    while (await exists());
  })
})

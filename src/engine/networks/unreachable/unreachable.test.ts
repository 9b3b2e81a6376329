import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { PathReport } from '#network/endpoint-path.ts'
import type { FirewallReport } from '#network/firewall-report.ts'
import type { ListeningSocket } from '#os/proc/sockets.ts'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'
import { whyUnreachable } from './unreachable.ts'

let machine: FakeMachine
let engine: TestEngine

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
})
afterEach(() => machine[Symbol.dispose]())

const socket = (address: string, port = 80): ListeningSocket => ({
  protocol: 'tcp',
  address,
  port,
  inode: '1',
})

async function broken(sockets: readonly ListeningSocket[] = [socket('0.0.0.0')]): Promise<string> {
  const { Broken } = await whyUnreachable(
    {
      registry: engine.registry,
      networks: engine.networks,
      sockets: async () => sockets,
      resolvConf: async () => '',
      bridgesAreFiltered: async () => false,
    },
    'web',
    { port: 80, protocol: 'tcp' },
  )
  return Broken === undefined ? '' : `${Broken.Hop}: ${Broken.Text}`
}

async function web(): Promise<void> {
  await engine.run({ HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } }, 'web')
}

describe('whyUnreachable()', () => {
  it('names each hop of the route', async () => {
    await web()
    assert.equal(await broken(), '')
    const hops: readonly [Partial<PathReport>, RegExp][] = [
      [{ forwarding: false }, /^route: the host forwards nothing: net\.ipv4\.ip_forward is 0$/],
      [{ bridge: 'missing' }, /^route: the bridge of bridge is missing$/],
      [{ bridge: 'down' }, /^route: the bridge of bridge is down$/],
      [{ link: 'missing' }, /^route: link \w+ of web is missing$/],
      [{ link: 'astray' }, /^route: link \w+ of web is not in the bridge$/],
      [{ inside: false }, /^route: eth0 in web is down, or has lost 172\.17\.0\.\d+$/],
      [{ wayBack: false }, /^route: web has no default route/],
      [{ route: undefined }, /^route: the host has no route to 172\.17\.0\.\d+$/],
      [{ route: 'tun0' }, /^route: the host sends to 172\.17\.0\.\d+ by tun0 instead of berth0/],
    ]
    for (const [path, words] of hops) {
      engine.networks.pathIs = path
      assert.match(await broken(), words)
    }
  })

  it('names what is wrong with the table, and chains of others by the mode of the firewall', async () => {
    await web()
    const chain = { family: 'inet', table: 't', name: 'c', type: 'filter', policy: 'drop', rules: [] }
    const drops = (hook: string) => ({ foreign: { chains: [{ ...chain, hook }] } })
    const states: readonly [Partial<FirewallReport>, RegExp][] = [
      [{ present: false }, /^firewall: table inet berth is missing$/],
      [drops('forward'), /^firewall: chain c of table inet t drops what comes to forward$/],
      [drops('input'), /^$/],
      [{ ...drops('forward'), respect: true }, /^$/],
      [
        { ...drops('input'), respect: true },
        /^firewall: chain c of table inet t drops what comes for the host$/,
      ],
      [{ foreign: undefined }, /^$/],
    ]
    for (const [report, words] of states) {
      engine.networks.firewallIs = report
      assert.match(await broken(), words)
    }
  })

  it('names a listener at an address that the container does not have', async () => {
    await web()
    assert.match(
      await broken([socket('10.9.9.9')]),
      /^listener: 80\/tcp is listened on at 10\.9\.9\.9, which web has on no network$/,
    )
    assert.equal(await broken([socket('::')]), '')
    assert.match(
      await broken([socket('0.0.0.0', 81)]),
      /^listener: nothing in web listens on 80\/tcp; these do: 81\/tcp$/,
    )
  })
})

/** Networks and volumes. */
import { type Scenario, call, created, events, inspect, running, scenario } from '../scenario.ts'

const bodies: Readonly<Record<string, object>> = {
  'a name': { Name: 'lan' },
  'no name': {},
  'a name with a space': { Name: 'a b' },
  everything: {
    Name: 'lan',
    Driver: 'bridge',
    Internal: true,
    Attachable: true,
    EnableIPv4: true,
    EnableIPv6: true,
    IPAM: {
      Driver: 'default',
      Config: [
        {
          Subnet: '10.9.0.0/16',
          IPRange: '10.9.1.0/24',
          Gateway: '10.9.0.1',
          AuxiliaryAddresses: { a: '10.9.0.5' },
        },
        { Subnet: 'fd00:9::/64' },
      ],
      Options: { a: 'b' },
    },
    Options: { 'com.docker.network.driver.mtu': '1400', 'com.docker.network.bridge.enable_icc': 'false' },
    Labels: { a: 'b' },
  },
  'an unknown driver': { Name: 'lan', Driver: 'nope' },
  'driver host': { Name: 'lan', Driver: 'host' },
  'driver null': { Name: 'lan', Driver: 'null' },
  'driver overlay': { Name: 'lan', Driver: 'overlay' },
  'a predefined name': { Name: 'bridge' },
  'a predefined name of nothing': { Name: 'none' },
  'a predefined name of the default': { Name: 'default' },
  'a bad subnet': { Name: 'lan', IPAM: { Config: [{ Subnet: 'nope' }] } },
  'a subnet with host bits': { Name: 'lan', IPAM: { Config: [{ Subnet: '10.9.0.5/16' }] } },
  'a gateway outside of its subnet': {
    Name: 'lan',
    IPAM: { Config: [{ Subnet: '10.9.0.0/16', Gateway: '10.8.0.1' }] },
  },
  'a bad gateway': { Name: 'lan', IPAM: { Config: [{ Subnet: '10.9.0.0/16', Gateway: 'x' }] } },
  'a range outside of its subnet': {
    Name: 'lan',
    IPAM: { Config: [{ Subnet: '10.9.0.0/16', IPRange: '10.8.0.0/24' }] },
  },
  'a gateway without a subnet': { Name: 'lan', IPAM: { Config: [{ Gateway: '10.9.0.1' }] } },
  'a range without a subnet': { Name: 'lan', IPAM: { Config: [{ IPRange: '10.9.0.0/24' }] } },
  'a subnet of one address': {
    Name: 'lan',
    EnableIPv6: true,
    IPAM: { Config: [{ Subnet: 'fd00:9::1/128' }] },
  },
  'a bad address to bind ports to': {
    Name: 'lan',
    Options: { 'com.docker.network.bridge.host_binding_ipv4': 'nope' },
  },
  'an IPv6 address to bind ports of IPv4 to': {
    Name: 'lan',
    Options: { 'com.docker.network.bridge.host_binding_ipv4': '::1' },
  },
  'an address for what leaves': { Name: 'lan', Options: { 'com.docker.network.host_ipv4': '10.3.3.3' } },
  'a bad address for what leaves': { Name: 'lan', Options: { 'com.docker.network.host_ipv4': 'nope' } },
  'no address of the bridge': {
    Name: 'lan',
    IPAM: { Config: [{ Subnet: '10.9.0.0/16' }] },
    Options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
  },
  'a prefix of interfaces': { Name: 'lan', Options: { 'com.docker.network.container_iface_prefix': 'net' } },
  'a bad option of the bridge': {
    Name: 'lan',
    Options: { 'com.docker.network.bridge.enable_icc': 'x' },
  },
  'a macvlan with an unknown mode': { Name: 'lan', Driver: 'macvlan', Options: { macvlan_mode: 'nope' } },
  'an ipvlan with an unknown flag': { Name: 'lan', Driver: 'ipvlan', Options: { ipvlan_flag: 'nope' } },
  'the subnet of the default network': { Name: 'lan', IPAM: { Config: [{ Subnet: '172.17.0.0/16' }] } },
  'an unknown IPAM driver': { Name: 'lan', IPAM: { Driver: 'nope' } },
  'a bad MTU': { Name: 'lan', Options: { 'com.docker.network.driver.mtu': 'x' } },
  'an unknown option': { Name: 'lan', Options: { nope: 'x' } },
  'a configuration only': { Name: 'lan', ConfigOnly: true, IPAM: { Config: [{ Subnet: '10.9.0.0/16' }] } },
  'a configuration from nobody': { Name: 'lan', ConfigFrom: { Network: 'nope' } },
  'a scope of swarm': { Name: 'lan', Scope: 'swarm' },
  'an unknown scope': { Name: 'lan', Scope: 'nope' },
  ingress: { Name: 'lan', Ingress: true },
  'no IPv4': {
    Name: 'lan',
    EnableIPv4: false,
    EnableIPv6: true,
    IPAM: { Config: [{ Subnet: 'fd00:9::/64' }] },
  },
  'neither IPv4 nor IPv6': { Name: 'lan', EnableIPv4: false },
}

const listFilters: readonly object[] = [
  {},
  { name: ['lan'] },
  { name: ['la'] },
  { name: ['['] },
  { driver: ['bridge'] },
  { driver: ['nope'] },
  { label: ['a'] },
  { label: ['a=c'] },
  { 'label!': ['a'] },
  { type: ['custom'] },
  { type: ['builtin'] },
  { type: ['nope'] },
  { dangling: ['true'] },
  { dangling: ['false'] },
  { dangling: ['x'] },
  { scope: ['local'] },
  { scope: ['nope'] },
  { id: ['nope'] },
  { nope: ['a'] },
]

const lan = call(
  'POST /networks/create',
  { Name: 'lan', Labels: { a: 'b' }, IPAM: { Config: [{ Subnet: '10.9.0.0/16' }] } },
  { as: 'lan', expect: 201 },
)

const networks: readonly Scenario[] = [
  ...Object.entries(bodies).map(([what, body]) =>
    scenario(
      `network create/${what}`,
      call('POST /networks/create', body, { as: 'lan' }),
      call('GET /networks/lan'),
      call('GET /networks?filters={"name":["lan"]}'),
      call('DELETE /networks/lan'),
      events(),
    ),
  ),
  scenario(
    'networks/predefined',
    ...['bridge', 'host', 'none'].flatMap((name) => [
      call(`GET /networks/${name}`),
      call(`DELETE /networks/${name}`),
    ]),
    call('GET /networks', undefined, { unordered: true }),
    call('GET /networks/', undefined, { unordered: true }),
    call('GET /networks/nope'),
    call('DELETE /networks/nope'),
    call('GET /networks/bridge?verbose=1&scope=local'),
    call('GET /networks/bridge?scope=swarm'),
    call('GET /networks/bridge?verbose=x'),
  ),
  scenario('networks/a name that is taken', lan, call('POST /networks/create', { Name: 'lan' })),
  scenario(
    'networks/list with filters',
    lan,
    ...listFilters.map((each) =>
      call(`GET /networks?filters=${encodeURIComponent(JSON.stringify(each))}`, undefined, {
        unordered: true,
      }),
    ),
  ),
  scenario(
    'networks/of a container from beginning to end',
    lan,
    ...running({
      HostConfig: { NetworkMode: 'lan' },
      NetworkingConfig: {
        EndpointsConfig: {
          lan: {
            Aliases: ['web'],
            IPAMConfig: { IPv4Address: '10.9.0.7' },
            MacAddress: '02:42:0a:09:00:07',
            Links: [],
          },
        },
      },
    }),
    inspect(),
    call('GET /networks/lan'),
    call('DELETE /networks/lan'),
    call('POST /networks/lan/disconnect', { Container: 'box' }),
    inspect(),
    call('GET /networks/lan'),
    call('POST /networks/lan/connect', { Container: 'box', EndpointConfig: { Aliases: ['again'] } }),
    inspect(),
    call('POST /containers/{box}/stop'),
    inspect(),
    call('GET /networks/lan'),
    call('DELETE /networks/lan'),
    events(),
  ),
  scenario(
    'networks/two at create',
    lan,
    call('POST /networks/create', { Name: 'wan' }, { as: 'wan', expect: 201 }),
    ...running({
      HostConfig: { NetworkMode: 'lan' },
      NetworkingConfig: { EndpointsConfig: { lan: {}, wan: { GwPriority: 5, DriverOpts: { a: 'b' } } } },
    }),
    inspect(),
    call('GET /containers/json'),
    events(),
  ),
  scenario(
    'networks/connect before the start',
    lan,
    created(),
    call('POST /networks/lan/connect', {
      Container: 'box',
      EndpointConfig: { IPAMConfig: { IPv4Address: '10.9.0.9' } },
    }),
    inspect(),
    call('POST /networks/lan/connect', { Container: 'box' }),
    call('POST /networks/lan/disconnect', { Container: 'box' }),
    call('POST /networks/lan/disconnect', { Container: 'box' }),
    inspect(),
  ),
  scenario(
    'networks/mistakes of connecting',
    lan,
    ...running(),
    call('POST /networks/nope/connect', { Container: 'box' }),
    call('POST /networks/lan/connect', { Container: 'nope' }),
    call('POST /networks/lan/connect', {}),
    call('POST /networks/lan/connect'),
    call('POST /networks/bridge/connect', { Container: 'box' }),
    call('POST /networks/host/connect', { Container: 'box' }),
    call('POST /networks/none/connect', { Container: 'box' }),
    call('POST /networks/lan/connect', {
      Container: 'box',
      EndpointConfig: { IPAMConfig: { IPv4Address: '10.8.0.9' } },
    }),
    call('POST /networks/lan/connect', {
      Container: 'box',
      EndpointConfig: { IPAMConfig: { IPv4Address: 'x' } },
    }),
    call('POST /networks/lan/disconnect', { Container: 'box' }),
    call('POST /networks/lan/disconnect', { Container: 'nope' }),
    call('POST /networks/lan/disconnect', { Container: 'nope', Force: true }),
    call('POST /networks/nope/disconnect', { Container: 'box' }),
  ),
  scenario(
    'networks/mistakes of endpoints',
    lan,
    ...[
      { bridge: { Aliases: ['a'] } },
      { bridge: { IPAMConfig: { IPv4Address: '172.17.0.9' } } },
      { lan: { IPAMConfig: { IPv4Address: 'x' } } },
      { lan: { IPAMConfig: { IPv4Address: '10.8.0.1' } } },
      { lan: { MacAddress: 'x' } },
      { nope: {} },
      { host: {} },
    ].flatMap((EndpointsConfig, i) => {
      const name = `box${i}`
      const NetworkMode = Object.keys(EndpointsConfig)[0]
      const body = {
        Image: 'busybox',
        Cmd: ['true'],
        HostConfig: { NetworkMode },
        NetworkingConfig: { EndpointsConfig },
      }
      return [
        call(`POST /containers/create?name=${name}`, body, { as: name }),
        call(`POST /containers/${name}/start`),
      ]
    }),
  ),
  ...[{}, { label: ['a=b'] }, { 'label!': ['a'] }, { until: ['1h'] }, { nope: ['a'] }].map((each) =>
    scenario(
      `prune/of networks with ${JSON.stringify(each)}`,
      lan,
      call(`POST /networks/prune?filters=${encodeURIComponent(JSON.stringify(each))}`),
      events(),
    ),
  ),
]

const volumeBodies: Readonly<Record<string, object>> = {
  'a name': { Name: 'data' },
  nothing: {},
  labels: { Name: 'data', Labels: { a: 'b' } },
  'a driver': { Name: 'data', Driver: 'local' },
  'an unknown driver': { Name: 'data', Driver: 'nope' },
  'options of tmpfs': { Name: 'data', DriverOpts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' } },
  'an unknown option': { Name: 'data', DriverOpts: { nope: 'x' } },
  'a device without a type': { Name: 'data', DriverOpts: { device: '/tmp' } },
  'a type without a device': { Name: 'data', DriverOpts: { type: 'tmpfs' } },
  'a size': { Name: 'data', DriverOpts: { size: '1m' } },
  'a name with a slash': { Name: 'a/b' },
  'a name that is too short': { Name: 'a' },
  'a name with a space': { Name: 'a b' },
  'a number as a name': { Name: 1 },
  'a cluster volume': { Name: 'data', ClusterVolumeSpec: {} },
}

const volumes: readonly Scenario[] = [
  ...Object.entries(volumeBodies).map(([what, body]) =>
    scenario(
      `volume create/${what}`,
      call('POST /volumes/create', body),
      call('GET /volumes/data'),
      call('GET /volumes'),
      call('DELETE /volumes/data'),
      events(),
    ),
  ),
  scenario(
    'volumes/made twice',
    call('POST /volumes/create', { Name: 'data', Labels: { a: 'b' } }),
    call('POST /volumes/create', { Name: 'data', Labels: { a: 'c' } }),
    call('POST /volumes/create', { Name: 'data', Driver: 'nope' }),
    events(),
  ),
  scenario(
    'volumes/in use',
    ...running({ HostConfig: { Binds: ['data:/data'] } }),
    call('GET /volumes/data'),
    call('DELETE /volumes/data'),
    call('DELETE /volumes/data?force=1'),
    events(),
  ),
  scenario(
    'volumes/absent',
    call('GET /volumes/nope'),
    call('DELETE /volumes/nope'),
    call('DELETE /volumes/nope?force=1'),
    call('GET /volumes'),
    call('PUT /volumes/nope', {}),
  ),
  scenario(
    'volumes/list with filters',
    call('POST /volumes/create', { Name: 'data', Labels: { a: 'b' } }),
    ...running({ HostConfig: { Binds: ['used:/data'] } }),
    ...[
      {},
      { name: ['da'] },
      { name: ['['] },
      { label: ['a'] },
      { label: ['a=c'] },
      { 'label!': ['a'] },
      { dangling: ['true'] },
      { dangling: ['false'] },
      { dangling: ['x'] },
      { driver: ['local'] },
      { driver: ['nope'] },
      { nope: ['a'] },
    ].map((each) => call(`GET /volumes?filters=${encodeURIComponent(JSON.stringify(each))}`)),
  ),
  ...[
    {},
    { all: ['true'] },
    { all: ['x'] },
    { label: ['a=b'] },
    { 'label!': ['a'] },
    { until: ['1h'] },
    { nope: ['a'] },
  ].map((each) =>
    scenario(
      `prune/of volumes with ${JSON.stringify(each)}`,
      call('POST /volumes/create', { Name: 'data', Labels: { a: 'b' } }),
      call('POST /volumes/create', { Name: 'more' }),
      call('POST /volumes/create', {}),
      call(`POST /volumes/prune?filters=${encodeURIComponent(JSON.stringify(each))}`, undefined, {
        besides: ['body.SpaceReclaimed', 'body.VolumesDeleted*'],
      }),
      call('GET /volumes?filters={"label":["a"]}'),
    ),
  ),
]

export const networkScenarios: readonly Scenario[] = [...networks, ...volumes]

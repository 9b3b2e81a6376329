/** What an engine with a few objects answers, path by path; the golden files of the command line are made from it. */
export const goldenNow = Date.parse('2026-01-20T12:00:00Z')

const seconds = goldenNow / 1000
const id = (digit: string): string => `${digit}1b2c3d4e5f6`.padEnd(64, '0')
const published = (port: number): object => ({
  IP: '0.0.0.0',
  PrivatePort: port,
  PublicPort: port,
  Type: 'tcp',
})

const containers = [
  {
    Id: id('a'),
    Names: ['/web'],
    Image: 'nginx:1.25',
    ImageID: `sha256:${id('1')}`,
    Command: "nginx -g 'daemon off;' and then some",
    Created: seconds - 3700,
    State: 'running',
    Status: 'Up About an hour (healthy)',
    Ports: [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { PrivatePort: 443, Type: 'tcp' },
      ...[9000, 9001, 9002].map(published),
      { PrivatePort: 53, Type: 'udp' },
    ],
    Labels: { tier: 'front', z: 'd=e' },
    Mounts: [
      { Type: 'volume', Name: 'data', Source: '/v/data/_data', Destination: '/y', Driver: 'local', RW: true },
      { Type: 'bind', Source: '/a/very/long/source', Destination: '/z' },
    ],
    NetworkSettings: { Networks: { app: {}, bridge: {} } },
    HostConfig: { NetworkMode: 'bridge' },
    Health: { Status: 'healthy', FailingStreak: 0 },
    SizeRw: 12345,
    SizeRootFs: 123456789,
  },
  {
    Id: id('b'),
    Names: ['/db', '/web/alias'],
    Image: `sha256:${id('1')}`,
    ImageID: `sha256:${id('1')}`,
    Command: 'sh',
    Created: seconds - 30,
    State: 'exited',
    Status: 'Exited (0) 3 seconds ago',
    Ports: [],
    Labels: null,
    Mounts: [],
    NetworkSettings: { Networks: {} },
    HostConfig: { NetworkMode: 'host' },
    SizeRw: 55,
  },
]

const manifest = (digit: string, architecture: string, total: number, containers: string[]): object => ({
  ID: `sha256:${id(digit)}`,
  Available: true,
  Kind: 'image',
  Size: { Content: 60_000_000, Total: total },
  ImageData: { Platform: { os: 'linux', architecture }, Containers: containers },
})

const images = [
  {
    Id: `sha256:${id('1')}`,
    RepoTags: ['nginx:1.25', 'registry.example:5000/a/b:2'],
    RepoDigests: [`nginx@sha256:${id('d')}`],
    Created: seconds - 20 * 86400,
    Size: 187654321,
    SharedSize: 100,
    Containers: 2,
    Labels: null,
    Manifests: [
      manifest('3', 'amd64', 187654321, ['a1b2c3d4e5f6']),
      { ...manifest('4', 'arm64', 0, []), Available: false },
      {
        ID: `sha256:${id('5')}`,
        Available: true,
        Kind: 'attestation',
        AttestationData: { For: `sha256:${id('3')}` },
        Size: { Content: 9, Total: 9 },
      },
    ],
  },
  {
    Id: `sha256:${id('2')}`,
    RepoTags: [],
    RepoDigests: [],
    Created: seconds - 400 * 86400,
    Size: 999,
    SharedSize: 0,
    Containers: 0,
  },
]

const data = {
  Name: 'data',
  Driver: 'local',
  Mountpoint: '/v/data/_data',
  Labels: { a: 'b' },
  Scope: 'local',
  Options: null,
}

const inspect = {
  Id: id('a'),
  Name: '/web',
  NetworkSettings: {
    Ports: {
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '::', HostPort: '8080' },
      ],
      '443/tcp': null,
      '53/udp': [{ HostIp: '127.0.0.1', HostPort: '5353' }],
    },
  },
}

const stats = {
  id: id('a'),
  name: '/web',
  cpu_stats: { cpu_usage: { total_usage: 2_000_000_000 }, system_cpu_usage: 20_000_000_000, online_cpus: 2 },
  precpu_stats: {
    cpu_usage: { total_usage: 1_900_000_000 },
    system_cpu_usage: 18_000_000_000,
    online_cpus: 2,
  },
  memory_stats: { usage: 12_345_678, limit: 1_073_741_824, stats: { inactive_file: 45_678 } },
  networks: { eth0: { rx_bytes: 1234, tx_bytes: 56_789 }, eth1: { rx_bytes: 1, tx_bytes: 1 } },
  pids_stats: { current: 3 },
  blkio_stats: {
    io_service_bytes_recursive: [
      { op: 'Read', value: 4096 },
      { op: 'write', value: 1_234_567 },
    ],
  },
}

const info = {
  ID: 'b0b0',
  Containers: 2,
  ContainersRunning: 1,
  ContainersPaused: 0,
  ContainersStopped: 1,
  Images: 2,
  ServerVersion: '0.1.0',
  Driver: 'erofs',
  DriverStatus: [['Backing layout', 'tar with EROFS index']],
  Plugins: { Volume: ['local'], Network: ['bridge', 'host', 'none'], Log: ['json-file', 'none'] },
  LoggingDriver: 'json-file',
  CgroupDriver: 'cgroupfs',
  CgroupVersion: '2',
  KernelVersion: '6.18',
  OperatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  OSType: 'linux',
  Architecture: 'x86_64',
  NCPU: 2,
  MemTotal: 25_281_523_712,
  Name: 'host',
  DockerRootDir: '/var/lib/berth',
  Debug: false,
  Runtimes: { runc: { path: 'runc' }, crun: { path: '/usr/bin/crun' } },
  DefaultRuntime: 'crun',
  Swarm: { LocalNodeState: 'inactive' },
  SecurityOptions: ['name=seccomp,profile=builtin', 'name=cgroupns'],
  RegistryConfig: {
    InsecureRegistryCIDRs: ['127.0.0.0/8'],
    IndexConfigs: { 'r.example': { Name: 'r.example', Secure: false } },
  },
  Labels: ['rack=7'],
  LiveRestoreEnabled: true,
  Warnings: ['WARNING: No swap limit support'],
}

const network = {
  Name: 'bridge',
  Id: id('e'),
  Created: '2026-01-02T03:04:05.123456789Z',
  Scope: 'local',
  Driver: 'bridge',
  EnableIPv4: true,
  EnableIPv6: false,
  Internal: false,
  Labels: {},
}

const found = [
  {
    name: 'demo',
    description: 'A demo of much, with many words: more than forty-five of them, in fact\nand a line',
    star_count: 123,
    is_official: true,
    is_automated: false,
  },
  { name: 'team/demo', description: '', star_count: 0, is_official: false, is_automated: true },
]

export const goldenAnswers: Readonly<Record<string, unknown>> = {
  '/images/search': found,
  '/containers/json': containers,
  '/containers/create': { Id: id('c'), Warnings: [] },
  '/images/json': images,
  '/images/web/history': [
    {
      Id: `sha256:${id('1')}`,
      Created: seconds - 3 * 86400,
      CreatedBy: '/bin/sh -c #(nop)  CMD ["nginx" "-g" "daemon off;"]',
      Size: 0,
      Comment: 'buildkit.dockerfile.v0',
    },
    {
      Id: '<missing>',
      Created: seconds - 30 * 86400,
      CreatedBy: '/bin/sh -c #(nop) ADD file:abc in / ',
      Size: 7_654_321,
      Comment: '',
    },
  ],
  '/volumes': { Volumes: [{ ...data, Name: 'zeta', Labels: null }, data], Warnings: null },
  '/networks': [network, { ...network, Name: 'app', Id: id('f'), Driver: 'bridge' }],
  '/containers/web/json': inspect,
  '/containers/web/stats': stats,
  '/containers/web/top': {
    Titles: ['UID', 'PID', 'CMD'],
    Processes: [
      ['root', '1', 'nginx'],
      ['www', '22', 'nginx: worker process'],
    ],
  },
  '/containers/web/changes': [
    { Path: '/etc', Kind: 0 },
    { Path: '/etc/new', Kind: 1 },
    { Path: '/gone', Kind: 2 },
  ],
  '/system/df': {
    LayersSize: 187_654_321,
    Images: images,
    Containers: containers,
    Volumes: [{ ...data, UsageData: { Size: 4096, RefCount: 1 } }],
    BuildCache: [
      {
        ID: 'q1b2c3d4e5f6g7h8i9',
        Type: 'regular',
        InUse: true,
        Shared: false,
        Size: 1234,
        CreatedAt: '2026-01-20T11:00:00Z',
        UsageCount: 2,
      },
    ],
    Berth: {
      Root: '/var/lib/berth',
      Total: 188_000_000,
      Categories: [
        { Name: 'Images', Size: 187_654_321, Reclaimable: 1000, Description: 'layers and manifests' },
        { Name: 'Logs', Size: 12_288, Reclaimable: 0, Description: 'output of containers' },
        { Name: 'Trash', Size: 0, Reclaimable: 0, Description: 'removed, and being freed' },
        { Name: 'Unexplained', Size: 333_391, Reclaimable: 0, Description: 'no row explains it' },
      ],
      Unexplained: [{ Path: 'layers/core', Size: 333_391 }],
    },
  },
  '/info': info,
  '/version': {
    Platform: { Name: 'berth' },
    Version: '0.1.0',
    ApiVersion: '1.55',
    MinAPIVersion: '1.24',
    Os: 'linux',
    Arch: 'amd64',
  },
}

import type {
  ContainerInspectResponse,
  ContainerSummary,
  ImageHistoryResponseItem,
  ImageInspect,
  ImageSummary,
  Network,
  SystemInfo,
  SystemVersion,
  Volume,
} from '#api/generated/types.ts'
import type { FakeContainer } from './fake-container.ts'

const never = '0001-01-01T00:00:00Z'
const digest = `sha256:${'4d'.repeat(32)}`

export const fakeVersion: SystemVersion = {
  Platform: { Name: 'berth' },
  Components: [{ Name: 'Engine', Version: '0.1.0', Details: {} }],
  Version: '0.1.0',
  ApiVersion: '1.55',
  MinAPIVersion: '1.24',
  GitCommit: 'none',
  GoVersion: 'none',
  Os: 'linux',
  Arch: 'amd64',
  KernelVersion: '6.18.0',
  Experimental: false,
  BuildTime: '2026-11-21T00:00:00Z',
}

export const fakeInfo: SystemInfo = {
  ID: 'fake',
  Containers: 1,
  ContainersRunning: 0,
  ContainersPaused: 0,
  ContainersStopped: 1,
  Images: 1,
  Driver: 'overlayfs',
  DriverStatus: [['driver-type', 'io.berth.snapshotter']],
  Plugins: { Volume: ['local'], Network: ['bridge', 'host', 'null'], Authorization: [], Log: ['json-file'] },
  MemoryLimit: true,
  NCPU: 2,
  MemTotal: 1024 ** 3,
  KernelVersion: '6.18.0',
  OperatingSystem: 'Debian GNU/Linux 12',
  OSType: 'linux',
  Architecture: 'x86_64',
  Name: 'fake-host',
  ServerVersion: '0.1.0',
  Runtimes: { crun: { path: 'crun' } },
  DefaultRuntime: 'crun',
  Swarm: { NodeID: '', LocalNodeState: 'inactive', ControlAvailable: false },
  SecurityOptions: ['name=seccomp,profile=builtin'],
  ContainerdCommit: { ID: '' },
  RuncCommit: { ID: 'abc' },
  InitCommit: { ID: '' },
  FirewallBackend: { Driver: 'nftables' },
  Warnings: [],
}

export const fakeImages: {
  readonly id: string
  readonly summary: ImageSummary
  readonly inspect: ImageInspect
  readonly history: ImageHistoryResponseItem[]
} = {
  id: digest,
  summary: {
    Id: digest,
    ParentId: '',
    RepoTags: ['demo:latest'],
    RepoDigests: [`demo@${digest}`],
    Created: 1_700_000_000,
    Size: 7,
    SharedSize: -1,
    Labels: {},
    Containers: 1,
    Descriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 7 },
  },
  inspect: {
    Id: digest,
    RepoTags: ['demo:latest'],
    RepoDigests: [`demo@${digest}`],
    Created: '2026-01-02T03:04:05Z',
    Config: { Cmd: ['sh'], Env: ['PATH=/bin'], Labels: {} },
    Architecture: 'amd64',
    Os: 'linux',
    Size: 7,
    RootFS: { Type: 'layers', Layers: [digest] },
    Metadata: { LastTagTime: '2026-01-02T03:04:05Z' },
    Descriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 7 },
  },
  history: [{ Id: digest, Created: 1_700_000_000, CreatedBy: 'sh', Tags: [], Size: 7, Comment: '' }],
}

export const fakeNetworks: Network[] = ['bridge', 'host', 'none'].map((name, index) => ({
  Name: name,
  Id: String(index).repeat(64),
  Created: '2026-01-02T03:04:05Z',
  Scope: 'local',
  Driver: name === 'none' ? 'null' : name,
  EnableIPv4: true,
  EnableIPv6: false,
  IPAM: { Driver: 'default', Options: {}, Config: [] },
  Internal: false,
  Attachable: false,
  Ingress: false,
  ConfigFrom: { Network: '' },
  ConfigOnly: false,
  Options: {},
  Labels: {},
}))

export function fakeVolume(name: string): Volume {
  return {
    CreatedAt: '2026-01-02T03:04:05Z',
    Driver: 'local',
    Labels: {},
    Mountpoint: `/volumes/${name}/_data`,
    Name: name,
    Options: {},
    Scope: 'local',
  }
}

const bridge = {
  NetworkID: '0'.repeat(64),
  EndpointID: 'e'.repeat(64),
  Gateway: '172.17.0.1',
  IPAddress: '172.17.0.2',
  IPPrefixLen: 16,
  MacAddress: '02:42:ac:11:00:02',
  Aliases: null,
  DNSNames: null,
  GwPriority: 0,
}

export function inspectOf(container: FakeContainer): ContainerInspectResponse {
  const { HostConfig, NetworkingConfig: _networking, ...config } = container.body
  const running = container.status === 'running'
  return {
    Id: container.id,
    Created: container.created.toISOString(),
    Path: config.Cmd?.[0] ?? 'sh',
    Args: config.Cmd?.slice(1) ?? [],
    State: {
      Status: container.status,
      Running: running || container.status === 'paused',
      Paused: container.status === 'paused',
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: running ? 4711 : 0,
      ExitCode: container.exitCode,
      Error: '',
      StartedAt: running ? container.created.toISOString() : never,
      FinishedAt: never,
    },
    Image: digest,
    ResolvConfPath: '',
    HostnamePath: '',
    HostsPath: '',
    LogPath: '',
    Name: `/${container.name}`,
    RestartCount: 0,
    Driver: 'overlayfs',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: null,
    HostConfig: { NetworkMode: 'bridge', RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, ...HostConfig },
    Storage: { RootFS: { Snapshot: { Name: 'overlayfs' } } },
    Mounts: [],
    Config: { Hostname: container.id.slice(0, 12), ...config },
    NetworkSettings: {
      SandboxID: '',
      SandboxKey: '',
      Ports: {},
      Networks: { bridge, backend: { ...bridge, Aliases: ['db'] } },
    },
  }
}

export function summaryOf(container: FakeContainer): ContainerSummary {
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: container.body.Image ?? '',
    ImageID: digest,
    Command: (container.body.Cmd ?? []).join(' '),
    Created: Math.floor(container.created.getTime() / 1000),
    Ports: [{ PrivatePort: 80, Type: 'tcp' }],
    Labels: container.body.Labels ?? {},
    State: container.status,
    Status: container.status === 'running' ? 'Up 3 seconds' : 'Exited (0) 3 seconds ago',
    HostConfig: { NetworkMode: 'bridge' },
    NetworkSettings: { Networks: { bridge } },
    Mounts: [],
    Health: { Status: 'none', FailingStreak: 0 },
  }
}

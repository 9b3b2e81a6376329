import { isIP } from 'node:net'
import { valueError } from '../errors.ts'
import {
  bool,
  bytes,
  cpus,
  cut,
  duration,
  integer,
  list,
  map,
  string,
  type Flag,
  type Values,
} from '../flags.ts'
import { checkDeviceRule, parseGpus, parseThrottle, parseUlimit, parseWeight } from './devices.ts'
import { checkEnvironment } from './key-values.ts'
import { parseMount } from './mounts.ts'
import { parseNetwork } from './networks.ts'
import { parsePublish, parseUnpublish } from './ports.ts'
import { platformNames } from '../platform-names.ts'

const streams = ['stdin', 'stdout', 'stderr']

/** Kernel parameters that belong to a namespace of the container. */
const namespaced =
  /^(net\.|fs\.mqueue\.|kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$)/

const resources = {
  'blkio-weight': integer('Share of block I/O from 10 to 1000, 0 turns it off', {
    type: 'uint16',
    min: 0,
    max: 65535,
  }),
  'blkio-weight-device': list('Share of block I/O of a device (path:weight)', {
    check: checkedBy(parseWeight),
  }),
  'cgroup-parent': string('Cgroup to be put below'),
  'cpu-count': integer('Number of CPUs (Windows)', { hidden: true }),
  'cpu-percent': integer('Percent of CPUs (Windows)', { hidden: true }),
  'cpu-period': integer('Period of the CPU quota in microseconds'),
  'cpu-quota': integer('CPU time per period in microseconds'),
  'cpu-rt-period': integer('Period of realtime scheduling in microseconds'),
  'cpu-rt-runtime': integer('Realtime CPU time per period in microseconds'),
  'cpu-shares': integer('CPU time relative to others', { short: 'c' }),
  cpus: cpus('Number of CPUs, such as 1.5'),
  'cpuset-cpus': string('CPUs to run on (0-3, 0,1)'),
  'cpuset-mems': string('Memory nodes to use (0-3, 0,1)'),
  'device-read-bps': list('Limit on reading from a device (path:bytes per second)', {
    check: checkedBy((text) => parseThrottle(text, 'bytes')),
  }),
  'device-read-iops': list('Limit on reading from a device (path:operations per second)', {
    check: checkedBy((text) => parseThrottle(text, 'operations')),
  }),
  'device-write-bps': list('Limit on writing to a device (path:bytes per second)', {
    check: checkedBy((text) => parseThrottle(text, 'bytes')),
  }),
  'device-write-iops': list('Limit on writing to a device (path:operations per second)', {
    check: checkedBy((text) => parseThrottle(text, 'operations')),
  }),
  'io-maxbandwidth': bytes('Limit on I/O of the system drive (Windows)', { hidden: true }),
  'io-maxiops': integer('Limit on operations of the system drive (Windows)', { hidden: true }),
  'kernel-memory': bytes('Has no effect any more', { hidden: true }),
  memory: bytes('Memory limit', { short: 'm' }),
  'memory-reservation': bytes('Memory to keep when memory is short'),
  'memory-swap': bytes('Limit of memory and swap together; -1 for no limit', { unlimited: true }),
  'memory-swappiness': integer('How readily to swap, from 0 to 100', { shown: '-1' }),
  'oom-kill-disable': bool('Do not kill when memory is out'),
  'oom-score-adj': integer('How readily to be killed, from -1000 to 1000'),
  'pids-limit': integer('Most processes at a time; -1 for no limit'),
  'shm-size': bytes('Size of /dev/shm'),
  ulimit: list('Resource limit (name=soft[:hard])', { check: checkedBy(parseUlimit), type: 'ulimit' }),
} as const

const network = {
  'add-host': list('Line for /etc/hosts (host:ip)', { check: extraHost }),
  dns: list('DNS server', { check: ipAddress }),
  'dns-opt': list('DNS option', { hidden: true }),
  'dns-option': list('DNS option'),
  'dns-search': list('DNS search domain'),
  domainname: string('NIS domain name'),
  expose: list('Port or range of ports to expose'),
  hostname: string('Host name', { short: 'h' }),
  ip: string('IPv4 address', { type: 'ip' }),
  ip6: string('IPv6 address', { type: 'ip' }),
  link: list('Link to another container'),
  'link-local-ip': list('Link-local address'),
  'mac-address': string('MAC address'),
  net: list('Old name of --network', { check: checkedBy(parseNetwork), hidden: true }),
  'net-alias': list('Old name of --network-alias', { hidden: true }),
  network: list('Network to connect to', {
    check: checkedBy(parseNetwork),
    type: 'network',
    completes: 'networks',
  }),
  'network-alias': list('Further name on the network'),
  publish: list('Publish a port ([ip:][host port:]port[/protocol])', { short: 'p' }),
  'publish-all': bool('Publish all exposed ports on free ports', { short: 'P' }),
} as const

const storage = {
  device: list('Device of the host (path[:path[:rwm]])', { completes: 'files' }),
  'device-cgroup-rule': list('Rule for devices, such as "c 42:* rmw"', { check: checkDeviceRule }),
  gpus: gpus(),
  mount: list('Mount, as type=…,source=…,target=…', {
    check: checkedBy((text) => parseMount(text, '/')),
    type: 'mount',
  }),
  'read-only': bool('Root filesystem read-only'),
  'storage-opt': map('Option of the storage driver', { type: 'list' }),
  tmpfs: list('Mount a tmpfs (path[:options])'),
  volume: list('Mount a directory or a volume ([source:]path[:options])', { short: 'v', completes: 'files' }),
  'volume-driver': string('Driver of volumes that this creates'),
  'volumes-from': list('Mount what that container mounts', { completes: 'containers' }),
} as const

const security = {
  'cap-add': list('Give a capability', { check: capability }),
  'cap-drop': list('Take a capability away', { check: capability }),
  cgroupns: string('Cgroup namespace: host or private', { completes: ['host', 'private'] }),
  'group-add': list('Further group'),
  ipc: string('IPC namespace: none, private, shareable, host, container:NAME'),
  pid: string('PID namespace: host, container:NAME'),
  privileged: bool('All privileges on this host'),
  'security-opt': list('Security option, such as seccomp=FILE'),
  sysctl: map('Kernel parameter of the container (name=value)', { check: checkSysctl }),
  userns: string('User namespace: host'),
  uts: string('UTS namespace: host'),
} as const

const process = {
  annotation: map('Annotation for the OCI runtime (key=value)'),
  attach: list('Stream to attach: stdin, stdout, stderr', { short: 'a', check: streamName }),
  cidfile: string('File to write the id into', { completes: 'files' }),
  'disable-content-trust': bool('Has no effect', { hidden: true, initial: true }),
  entrypoint: string("Instead of the image's ENTRYPOINT"),
  env: list('Environment variable (KEY=value, or KEY to pass it on)', {
    check: checkEnvironment,
    short: 'e',
  }),
  'env-file': list('File with environment variables', { completes: 'files' }),
  'health-cmd': string('Command that checks the health'),
  'health-http': string(
    'Port and path that are to answer GET, such as 8080/ready; nothing runs in the container',
  ),
  'health-tcp': string('Port that is to accept connections; nothing runs in the container'),
  'health-on-failure': string(
    'What happens to a container that turns unhealthy: none, kill, stop or restart',
    {
      completes: ['none', 'kill', 'stop', 'restart'],
    },
  ),
  'health-interval': duration('Time between two checks'),
  'health-retries': integer('Failures until it counts as unhealthy'),
  'health-start-interval': duration('Time between two checks in the start period'),
  'health-start-period': duration('Time in which failures do not count'),
  'health-timeout': duration('Time that a check may take'),
  init: bool('An init process that reaps and passes signals on'),
  interactive: bool('Keep stdin open', { short: 'i' }),
  isolation: string('Isolation (Windows)', { hidden: true }),
  label: list('Label (key[=value])', { short: 'l' }),
  'label-file': list('File with labels', { completes: 'files' }),
  'log-driver': string('Log driver', { completes: ['json-file', 'none'] }),
  'log-opt': list('Option of the log driver'),
  name: string('Name of the container'),
  'no-healthcheck': bool("Without the image's health check"),
  platform: string('Platform (os[/arch[/variant]])', { completes: platformNames }),
  pull: string('Fetch the image: always, missing, never', {
    initial: 'missing',
    completes: ['always', 'missing', 'never'],
  }),
  quiet: bool('No output while fetching', { short: 'q' }),
  restart: string('Restart policy', {
    shown: 'no',
    completes: ['no', 'always', 'unless-stopped', 'on-failure'],
  }),
  rm: bool('Remove it when it ends'),
  runtime: string('OCI runtime'),
  'stop-signal': string('Signal that stops it'),
  'stop-timeout': integer('Seconds until it is killed when it is stopped'),
  tty: bool('With a terminal', { short: 't' }),
  'use-api-socket': bool("The engine's socket inside, and the credentials of whoever calls"),
  user: string('User (name|uid[:group|gid])', { short: 'u' }),
  workdir: string('Working directory', { short: 'w' }),
} as const

/** The flags that `run` and `create` have in common. */
export const createFlags = { ...resources, ...network, ...storage, ...security, ...process } as const
export type CreateFlags = Values<typeof createFlags>

/** The flags of `update`: limits that can change while a container runs. */
export const updateFlags = {
  'blkio-weight': resources['blkio-weight'],
  'cpu-period': resources['cpu-period'],
  'cpu-quota': resources['cpu-quota'],
  'cpu-rt-period': resources['cpu-rt-period'],
  'cpu-rt-runtime': resources['cpu-rt-runtime'],
  'cpu-shares': resources['cpu-shares'],
  cpus: resources.cpus,
  'cpuset-cpus': resources['cpuset-cpus'],
  'cpuset-mems': resources['cpuset-mems'],
  'kernel-memory': resources['kernel-memory'],
  memory: resources.memory,
  'memory-reservation': resources['memory-reservation'],
  'memory-swap': resources['memory-swap'],
  'pids-limit': resources['pids-limit'],
  'publish-add': list('Publish one more port, as with run -p', {
    check: checkedBy((text) => parsePublish([text])),
  }),
  'publish-rm': list('Publish a port no more: PORT[/PROTO], or as it was given to -p', {
    check: checkedBy((text) => parseUnpublish([text])),
  }),
  restart: string('Restart policy', { completes: process.restart.completes ?? [] }),
} as const

function gpus(): Flag<readonly string[]> {
  return list('GPUs to add (all, a number, or device=…)', {
    type: 'gpu-request',
    check: checkedBy(parseGpus),
  })
}

function streamName(text: string): string {
  const name = text.toLowerCase()
  if (streams.includes(name)) return name
  throw valueError('valid streams are STDIN, STDOUT and STDERR')
}

function ipAddress(text: string): string {
  const trimmed = text.trim()
  if (isIP(trimmed) !== 0) return trimmed
  throw valueError(`IP address is not correctly formatted: ${text}`)
}

/** `host:ip` or `host=ip`, an IPv6 address perhaps in brackets; in the form of the API. */
function extraHost(text: string): string {
  const separator = text.includes('=') ? '=' : ':'
  const [host, address] = cut(text, separator)
  if (host === '' || address === undefined) throw valueError(`bad format for add-host: "${text}"`)
  const bare = address.replace(/^\[(.*)\]$/, '$1')
  if (bare !== 'host-gateway' && isIP(bare) === 0)
    throw valueError(`invalid IP address in add-host: "${address}"`)
  return `${host}:${bare}`
}

/** A check by a parser whose result is not needed yet: it says what is wrong while the flag is at hand. */
function checkedBy(parse: (text: string) => unknown): (text: string) => string {
  return (text) => {
    parse(text)
    return text
  }
}

/** `net_admin` is `CAP_NET_ADMIN`. */
function capability(text: string): string {
  const name = text.trim().toUpperCase()
  return name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`
}

function checkSysctl(text: string): string {
  const [name, value] = cut(text, '=')
  if (value !== undefined && namespaced.test(name)) return text
  throw valueError(`sysctl '${text}' is not allowed`)
}

/**
 * Keys of dockerd's daemon.json, and its flags, with which there is nothing to set here: a file or unit that was written for
 * dockerd can be used as it is, where it asks for what is always so. What cannot be had is refused, never passed over.
 */
import { EngineError } from '#base/errors.ts'

export const dockerdOptions = {
  'authorization-plugin': { type: 'string', multiple: true },
  containerd: { type: 'string' },
  'containerd-namespace': { type: 'string' },
  'containerd-plugins-namespace': { type: 'string' },
  'default-gateway': { type: 'string' },
  'default-gateway-v6': { type: 'string' },
  'exec-opt': { type: 'string', multiple: true },
  experimental: { type: 'boolean' },
  'firewall-backend': { type: 'string' },
  'ip-forward': { type: 'boolean' },
  'ip-forward-no-drop': { type: 'boolean' },
  'ip-masq': { type: 'boolean' },
  ip6tables: { type: 'boolean' },
  iptables: { type: 'boolean' },
  'live-restore': { type: 'boolean' },
  'log-format': { type: 'string' },
  'metrics-addr': { type: 'string' },
  'raw-logs': { type: 'boolean' },
  'seccomp-profile': { type: 'string' },
  'selinux-enabled': { type: 'boolean' },
  'shutdown-timeout': { type: 'string' },
  'storage-opt': { type: 'string', multiple: true },
  'userland-proxy': { type: 'boolean' },
  'userns-remap': { type: 'string' },
} as const

/** Keys of flags that have another name in the file. */
const keys: ReadonlyMap<string, string> = new Map([
  ['authorization-plugin', 'authorization-plugins'],
  ['exec-opt', 'exec-opts'],
  ['storage-opt', 'storage-opts'],
])

interface Settled {
  readonly fits: (value: unknown) => boolean
  /** After the key: `"ip-forward" …`. */
  readonly says: string
}

const always = (value: unknown): Settled => ({
  fits: (given) => given === value,
  says: `is always ${JSON.stringify(value)} here`,
})
const nothing = (says: string): Settled => ({
  fits: (given) => given === '' || given === false || (Array.isArray(given) && given.length === 0),
  says,
})
const whatever: Settled = { fits: () => true, says: '' }

const settled: ReadonlyMap<string, Settled> = new Map(
  Object.entries({
    'ip-forward': always(true),
    iptables: always(true),
    ip6tables: always(true),
    'ip-masq': { ...always(true), says: 'is said for each network here (enable_ip_masquerade)' },
    'firewall-backend': always('nftables'),
    'exec-opts': {
      fits: (given) => Array.isArray(given) && given.every((one) => one === 'native.cgroupdriver=cgroupfs'),
      says: 'can only be native.cgroupdriver=cgroupfs: control groups are made without systemd here',
    },
    'seccomp-profile': {
      fits: (given) => given === '' || given === 'builtin',
      says: 'is said for each container here (--security-opt seccomp=FILE)',
    },
    'min-api-version': always('1.24'),
    'selinux-enabled': nothing('is not here: labels of SELinux are not set'),
    'userns-remap': nothing('is not here: containers have the user ids of the host'),
    'storage-opts': nothing('has no meaning here: the storage has no options'),
    'authorization-plugins': nothing('is not here: who may use a socket is said by its owner and group'),
    'metrics-addr': nothing('is not here: no metrics are served'),
    'default-gateway': nothing('is not here: the way out of the default network is its bridge'),
    'default-gateway-v6': nothing('is not here: the way out of the default network is its bridge'),
    'cdi-spec-dirs': nothing('is not here: devices of CDI are not known'),
    'live-restore': always(true),
    // Nothing to have or to lack: containers outlive the daemon, nothing is experimental, the log has one form, ports need no
    // process, the policy of others' chains is left alone, and containerd is not asked.
    'shutdown-timeout': whatever,
    'userland-proxy': whatever,
    'ip-forward-no-drop': whatever,
    containerd: whatever,
    'containerd-namespace': whatever,
    'containerd-plugins-namespace': whatever,
    experimental: whatever,
    'raw-logs': whatever,
    'log-format': whatever,
    'allow-nondistributable-artifacts': whatever,
  }),
)

/**
 * The document of a configuration file, or flags, without those. `where` begins the message; `invalid_argument` for what
 * cannot be had.
 */
export function withoutSettledKeys<Document extends Readonly<Record<string, unknown>>>(
  document: Document,
  where = '',
): Document {
  const entries = Object.entries(document).map(
    ([name, value]) => [name, keys.get(name) ?? name, value] as const,
  )
  for (const [, key, value] of entries) {
    const rule = settled.get(key)
    if (rule === undefined || rule.fits(value)) continue
    throw new EngineError('invalid_argument', `${where}"${key}" ${rule.says}`, { code: 'CONFIG_INVALID' })
  }
  const others = entries.filter(([, key]) => !settled.has(key))
  return Object.fromEntries(others.map(([name, , value]) => [name, value])) as Document
}

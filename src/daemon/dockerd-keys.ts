/**
 * Keys of dockerd's daemon.json with which there is nothing to set here: a file that was written for dockerd can be used
 * as it is, where it asks for what is always so. What cannot be had is refused, never passed over.
 */
import { EngineError } from '#base/errors.ts'

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
    runtimes: {
      fits: (given) => typeof given === 'object' && given !== null && Object.keys(given).length === 0,
      says: 'has no meaning here: the runtime is what default-runtime names, also by a path',
    },
    'min-api-version': always('1.24'),
    'selinux-enabled': nothing('is not here: labels of SELinux are not set'),
    'userns-remap': nothing('is not here: containers have the user ids of the host'),
    'storage-opts': nothing('has no meaning here: the storage has no options'),
    'authorization-plugins': nothing('is not here: who may use a socket is said by its owner and group'),
    'metrics-addr': nothing('is not here: no metrics are served'),
    // Nothing to have or to lack: containers outlive the daemon, nothing is experimental, and the log has one form.
    'shutdown-timeout': whatever,
    features: whatever,
    experimental: whatever,
    'raw-logs': whatever,
    'log-format': whatever,
    'allow-nondistributable-artifacts': whatever,
  }),
)

/** The document of a configuration file without those keys; `invalid_argument` for what cannot be had. */
export function withoutSettledKeys(
  file: string,
  document: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  for (const [key, value] of Object.entries(document)) {
    const rule = settled.get(key)
    if (rule === undefined || rule.fits(value)) continue
    throw new EngineError('invalid_argument', `configuration file ${file}: "${key}" ${rule.says}`, {
      code: 'CONFIG_INVALID',
    })
  }
  return Object.fromEntries(Object.entries(document).filter(([key]) => !settled.has(key)))
}

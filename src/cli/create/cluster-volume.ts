import type { ClusterVolumeSpec, Topology } from '#api/generated/types.ts'
import { bytes, cut, list, map, string, type Values } from '../flags.ts'
import { csvFields } from './csv.ts'

/** Flags of `volume create` for volumes of a cluster, which an engine without one refuses. */
export const clusterFlags = {
  availability: string('Of a volume of a cluster: whether containers may use it', {
    initial: 'active',
    completes: ['active', 'pause', 'drain'],
    hidden: true,
  }),
  group: string('Of a volume of a cluster: its group', { hidden: true }),
  'limit-bytes': bytes('Of a volume of a cluster: its largest size', { hidden: true }),
  'required-bytes': bytes('Of a volume of a cluster: its smallest size', { hidden: true }),
  scope: string('Of a volume of a cluster: on how many nodes it is used', {
    initial: 'single',
    completes: ['single', 'multi'],
    hidden: true,
  }),
  secret: map('Of a volume of a cluster: secret for its driver (key=secret)', { hidden: true }),
  sharing: string('Of a volume of a cluster: who else may use it', {
    initial: 'none',
    completes: ['none', 'readonly', 'onewriter', 'all'],
    hidden: true,
  }),
  'topology-preferred': list('Of a volume of a cluster: where it should be (key=value,…)', { hidden: true }),
  'topology-required': list('Of a volume of a cluster: where it has to be (key=value,…)', { hidden: true }),
  type: string('Of a volume of a cluster: mount or block', {
    initial: 'block',
    completes: ['mount', 'block'],
    hidden: true,
  }),
} as const

/** What was asked of a cluster; undefined when nothing was. The layout is the one that Docker's client sends. */
export function clusterVolumeSpec(
  flags: Values<typeof clusterFlags>,
  changed: ReadonlySet<string>,
): (ClusterVolumeSpec & Readonly<Record<string, unknown>>) | undefined {
  if (!Object.keys(clusterFlags).some((name) => changed.has(name))) return undefined
  return {
    Group: flags.group,
    AccessMode: {
      Scope: flags.scope as 'single',
      Sharing: flags.sharing as 'none',
      ...(flags.type === 'mount' ? { MountVolume: {} } : { BlockVolume: {} }),
    },
    AccessibilityRequirements: {
      Requisite: flags['topology-required'].map(topology),
      Preferred: flags['topology-preferred'].map(topology),
    },
    CapacityRange: { RequiredBytes: flags['required-bytes'] ?? 0, LimitBytes: flags['limit-bytes'] ?? 0 },
    Secrets: Object.entries(flags.secret).map(([Key, Secret]) => ({ Key, Secret })),
    Availability: flags.availability,
  }
}

function topology(text: string): Topology {
  const pairs = csvFields(text).map((field) => cut(field, '='))
  return { Segments: Object.fromEntries(pairs.map(([key, value]) => [key, value ?? ''])) }
}

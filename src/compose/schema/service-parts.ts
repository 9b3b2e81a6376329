import { type Node, type Scalar, nodeOf } from '../document/node.ts'
import { labels, variables } from './build.ts'
import { expandPort } from './short/port.ts'
import { expandVolume } from './short/volume.ts'
import { fromCommandLine } from './short/words.ts'
import { scalarText } from './scalars.ts'
import { type ListShape, boolean, bytes, duration, integer, list, object, string, text } from './shape.ts'

/** A command line: text is split into words; empty clears what the image has. */
export const commandLine: ListShape = list(string(), { merge: 'replace', from: fromCommandLine })

export const healthcheck = object(
  {
    test: list(string(), { merge: 'replace', from: fromShellTest }),
    timeout: duration({ written: 'set' }),
    interval: duration({ written: 'set' }),
    retries: integer({ written: 'set' }),
    start_period: duration({ written: 'set' }),
    start_interval: duration({ written: 'set' }),
    disable: boolean(),
  },
  { written: 'set' },
)

function fromShellTest(node: Node): Node | undefined {
  return node.kind === 'scalar' && typeof node.value === 'string'
    ? nodeOf(['CMD-SHELL', node.value], node.place)
    : undefined
}

/** `post_start`, `pre_stop`, and what `develop.watch` executes. */
export const hook = object(
  {
    command: { ...commandLine, written: 'always' },
    user: string(),
    privileged: boolean(),
    working_dir: string(),
    environment: variables,
  },
  { required: ['command'] },
)

export const ports = list(
  object(
    {
      name: string(),
      mode: string(),
      host_ip: string(),
      target: integer(),
      published: text(),
      protocol: string(),
      app_protocol: string(),
    },
    { required: ['target'], from: withPortDefaults },
  ),
  { merge: { by: portKey }, expand: expandPort },
)

function withPortDefaults(node: Node): Node | undefined {
  if (node.kind !== 'mapping') return undefined
  const entries = new Map(node.entries)
  if (!entries.has('mode')) entries.set('mode', nodeOf('ingress', node.place))
  if (!entries.has('protocol')) entries.set('protocol', nodeOf('tcp', node.place))
  return { ...node, entries }
}

function portKey(item: Node): string {
  return JSON.stringify(['host_ip', 'target', 'published', 'protocol'].map((key) => valueOf(item, key)))
}

/** What a list of mounts, devices or files has at most one of: the path inside the container. */
export function byTarget(item: Node): string {
  return valueOf(item, 'target') || valueOf(item, 'source')
}

function valueOf(item: Node, key: string): string {
  const value = item.kind === 'mapping' ? item.entries.get(key) : undefined
  return value?.kind === 'scalar' ? scalarText(value.value) : ''
}

const bind = object(
  {
    selinux: string({ oneOf: ['z', 'Z'] }),
    propagation: string(),
    create_host_path: boolean(),
    recursive: string({ oneOf: ['enabled', 'disabled', 'writable', 'readonly'] }),
  },
  { written: 'set', nullable: true },
)

export const volumes = list(
  object(
    {
      type: string({ oneOf: ['bind', 'volume', 'tmpfs', 'cluster', 'npipe', 'image'] }),
      source: string(),
      target: string(),
      read_only: boolean(),
      consistency: string(),
      bind,
      volume: object({ labels, nocopy: boolean(), subpath: string() }, { written: 'set', nullable: true }),
      tmpfs: object({ size: bytes(), mode: integer() }, { written: 'set', nullable: true }),
      image: object({ subpath: string() }, { written: 'set', nullable: true }),
    },
    { required: ['type'] },
  ),
  { merge: { by: byTarget }, expand: expandVolume },
)

const envFile = object(
  { path: string(), required: boolean({ written: 'set' }), format: string() },
  { required: ['path'] },
)

export const envFiles = list(envFile, { from: singleEnvFile, expand: expandEnvFile })

function singleEnvFile(node: Node): Node | undefined {
  return node.kind === 'scalar' && typeof node.value === 'string'
    ? { kind: 'sequence', items: [node], place: node.place }
    : undefined
}

function expandEnvFile(item: Scalar): readonly Node[] {
  return [nodeOf({ path: scalarText(item.value) }, item.place)]
}

const throttle = (key: string): ListShape =>
  list(
    object(
      {
        path: string({ written: 'set' }),
        [key]: key === 'rate' ? bytes({ written: 'set' }) : integer({ written: 'set' }),
      },
      { renamed: { path: 'Path', rate: 'Rate', weight: 'Weight' } },
    ),
    { merge: { by: (item) => valueOf(item, 'path') } },
  )

export const blkio = object(
  {
    weight: integer(),
    weight_device: throttle('weight'),
    device_read_bps: throttle('rate'),
    device_read_iops: throttle('rate'),
    device_write_bps: throttle('rate'),
    device_write_iops: throttle('rate'),
  },
  { written: 'set' },
)

export const develop = object(
  {
    watch: list(
      object(
        {
          path: string(),
          action: string({ oneOf: ['rebuild', 'sync', 'restart', 'sync+restart', 'sync+exec'] }),
          target: string(),
          exec: { ...hook, written: 'always' },
          include: list(text(), { single: true }),
          ignore: list(text(), { single: true }),
          initial_sync: boolean(),
        },
        { required: ['path', 'action'] },
      ),
    ),
  },
  { written: 'set', nullable: true },
)

/** `services.*`, in the order of Compose's normal form. */
import { type Node, nodeOf, plainOf, textOf } from '../document/node.ts'
import { build, hosts, labels, names, ulimits, variables } from './build.ts'
import { deploy, deviceRequest } from './deploy.ts'
import { expandFileReference, expandSecret, fileReference } from './file-reference.ts'
import {
  blkio,
  byTarget,
  commandLine,
  develop,
  envFiles,
  healthcheck,
  hook,
  ports,
  volumes,
} from './service-parts.ts'
import { expandDevice, fromAllGpus } from './short/device.ts'
import { fromKeyValues, fromNames } from './short/key-values.ts'
import { boolean, bytes, duration, integer, list, map, number, object, string, text } from './shape.ts'

const oneOrMore = list(text(), { merge: 'unique', single: true })
const pairs = map(text())
const NAME = /^[a-zA-Z0-9._-]+$/

const dependency = object(
  {
    condition: string({
      oneOf: ['service_started', 'service_healthy', 'service_completed_successfully'],
    }),
    restart: boolean(),
    required: boolean({ written: 'always' }),
  },
  { from: withRequired, required: ['condition'] },
)

const network = object(
  {
    aliases: names,
    driver_opts: pairs,
    gw_priority: integer(),
    interface_name: string(),
    ipv4_address: string(),
    ipv6_address: string(),
    link_local_ips: names,
    mac_address: string(),
    priority: integer(),
  },
  { written: 'set', nullable: true },
)

export const service = object({
  profiles: names,
  annotations: labels,
  attach: boolean({ written: 'set' }),
  build,
  develop,
  blkio_config: blkio,
  cap_add: names,
  cap_drop: names,
  cgroup_parent: string(),
  cgroup: string({ oneOf: ['host', 'private'] }),
  cpu_count: integer(),
  cpu_percent: number(),
  cpu_period: integer(),
  cpu_quota: integer(),
  cpu_rt_period: integer(),
  cpu_rt_runtime: integer(),
  cpus: number(),
  cpuset: string(),
  cpu_shares: integer(),
  command: { ...commandLine, written: 'always' },
  configs: list(fileReference, { merge: { by: byTarget }, expand: expandFileReference }),
  container_name: string(),
  credential_spec: object({ config: string(), file: string(), registry: string() }, { written: 'set' }),
  depends_on: map(dependency, { keys: NAME, from: fromNames(startedDependency) }),
  deploy,
  device_cgroup_rules: names,
  devices: list(
    object({ source: string(), target: string(), permissions: string() }, { required: ['source'] }),
    {
      merge: { by: byTarget },
      expand: expandDevice,
    },
  ),
  dns: oneOrMore,
  dns_opt: names,
  dns_search: oneOrMore,
  domainname: string(),
  entrypoint: { ...commandLine, written: 'always' },
  provider: object(
    { type: string(), options: map(list(text(), { single: true })) },
    { written: 'set', required: ['type'] },
  ),
  environment: variables,
  env_file: envFiles,
  expose: names,
  extends: object(
    { file: string(), service: string() },
    { written: 'set', from: fromServiceName, required: ['service'] },
  ),
  external_links: names,
  extra_hosts: hosts,
  group_add: names,
  gpus: list(deviceRequest, { from: fromAllGpus }),
  hostname: string(),
  healthcheck,
  image: string(),
  init: boolean({ written: 'set' }),
  ipc: string(),
  isolation: string(),
  labels,
  label_file: oneOrMore,
  links: names,
  logging: object({ driver: string(), options: pairs }, { written: 'set', mergeWhen: sameDriver }),
  mem_limit: bytes(),
  mem_reservation: bytes(),
  memswap_limit: bytes(),
  mem_swappiness: bytes(),
  mac_address: string(),
  models: map(object({ endpoint_var: string(), model_var: string() }, { written: 'set', nullable: true }), {
    keys: NAME,
    from: fromNames((item) => nodeOf(null, item.place)),
  }),
  network_mode: string(),
  networks: map(network, { keys: NAME, from: fromNames((item) => nodeOf(null, item.place)) }),
  oom_kill_disable: boolean(),
  oom_score_adj: integer(),
  pid: string({ nullable: true }),
  pids_limit: integer(),
  platform: string(),
  ports,
  privileged: boolean(),
  pull_policy: string(),
  pull_refresh_after: string(),
  read_only: boolean(),
  restart: string(),
  runtime: string(),
  scale: integer({ written: 'set' }),
  secrets: list(
    { ...fileReference, from: withSecretTarget },
    { merge: { by: byTarget }, expand: expandSecret },
  ),
  security_opt: names,
  shm_size: bytes(),
  stdin_open: boolean(),
  stop_grace_period: duration({ written: 'set' }),
  stop_signal: string(),
  storage_opt: pairs,
  sysctls: map(text(), { from: fromKeyValues(/=/, '') }),
  tmpfs: list(text(), { merge: 'unique', single: true }),
  tty: boolean(),
  ulimits,
  use_api_socket: boolean(),
  user: string(),
  userns_mode: string(),
  uts: string(),
  volumes,
  volumes_from: names,
  working_dir: string(),
  post_start: list(hook),
  pre_stop: list(hook),
})

function startedDependency(item: Node): Node {
  return nodeOf({ condition: 'service_started', required: true }, item.place)
}

function withRequired(node: Node): Node | undefined {
  if (node.kind !== 'mapping' || node.entries.has('required'))
    return node.kind === 'mapping' ? node : undefined
  return { ...node, entries: new Map([...node.entries, ['required', nodeOf(true, node.place)]]) }
}

function withSecretTarget(node: Node): Node | undefined {
  if (node.kind !== 'mapping' || node.entries.has('target')) return node.kind === 'mapping' ? node : undefined
  const target = nodeOf(`/run/secrets/${textOf(node.entries.get('source')) ?? ''}`, node.place)
  return { ...node, entries: new Map([...node.entries, ['target', target]]) }
}

function fromServiceName(node: Node): Node | undefined {
  return node.kind === 'scalar' && typeof node.value === 'string'
    ? nodeOf({ service: node.value }, node.place)
    : undefined
}

/** Options of one log driver mean nothing to another one. */
function sameDriver(base: Node, other: Node): boolean {
  const [before, after] = [base, other].map((node) =>
    node.kind === 'mapping' ? node.entries.get('driver') : undefined,
  )
  if (before === undefined || after === undefined) return true
  return plainOf(before) === plainOf(after)
}

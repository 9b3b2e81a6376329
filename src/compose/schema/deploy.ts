import { labels, variables } from './build.ts'
import { deviceCount } from './short/device.ts'
import { type Fields, bytes, duration, integer, list, number, object, string, text } from './shape.ts'
import type { Node } from '../document/node.ts'

const update = object(
  {
    parallelism: integer({ written: 'set' }),
    delay: duration(),
    failure_action: string(),
    monitor: duration(),
    max_failure_ratio: number(),
    order: string({ oneOf: ['start-first', 'stop-first'] }),
  },
  { written: 'set' },
)

/** A request for devices: `gpus`, and `deploy.resources.reservations.devices`. */
export const deviceRequest = object(
  {
    capabilities: list(text()),
    driver: string(),
    count: integer(),
    device_ids: list(text()),
    options: variables,
  },
  { from: fromCounted },
)

/** With `count: all` as -1. */
function fromCounted(node: Node): Node | undefined {
  if (node.kind !== 'mapping') return undefined
  const count = node.entries.get('count')
  const all = count === undefined ? undefined : deviceCount(count)
  return all === undefined ? node : { ...node, entries: new Map([...node.entries, ['count', all]]) }
}

const limits: Fields = { cpus: number(), memory: bytes(), pids: integer() }

const reservations: Fields = {
  cpus: number(),
  memory: bytes(),
  devices: list(deviceRequest),
  generic_resources: list(
    object({
      discrete_resource_spec: object(
        { kind: string({ written: 'set' }), value: integer({ written: 'set' }) },
        { written: 'set' },
      ),
    }),
  ),
}

/** `services.*.deploy`. */
export const deploy = object(
  {
    mode: string(),
    replicas: integer({ written: 'set' }),
    labels,
    update_config: update,
    rollback_config: update,
    resources: object(
      { limits: object(limits, { written: 'set' }), reservations: object(reservations, { written: 'set' }) },
      { written: 'always' },
    ),
    restart_policy: object(
      {
        condition: string(),
        delay: duration({ written: 'set' }),
        max_attempts: integer({ written: 'set' }),
        window: duration({ written: 'set' }),
      },
      { written: 'set' },
    ),
    placement: object(
      {
        constraints: list(text()),
        preferences: list(object({ spread: string() })),
        max_replicas_per_node: integer(),
      },
      { written: 'always' },
    ),
    endpoint_mode: string(),
  },
  { written: 'set', nullable: true },
)

/** A whole project file. */
import { type Node, nodeOf, plainOf } from '../document/node.ts'
import { labels } from './build.ts'
import { service } from './service.ts'
import { type Fields, boolean, integer, list, map, object, string, text } from './shape.ts'

const NAME = /^[a-zA-Z0-9._-]+$/
const options = map(text())

/** `external: {name: X}` is the old form of `external: true` with a name. */
const external = boolean()

const network = object(
  {
    name: string(),
    driver: string(),
    driver_opts: options,
    ipam: object(
      {
        driver: string(),
        config: list(
          object({ subnet: string(), gateway: string(), ip_range: string(), aux_addresses: map(string()) }),
          { merge: 'append' },
        ),
        options: map(string(), { written: 'never' }),
      },
      { written: 'always' },
    ),
    external,
    internal: boolean(),
    attachable: boolean(),
    labels,
    enable_ipv4: boolean({ written: 'set' }),
    enable_ipv6: boolean({ written: 'set' }),
  },
  { nullable: true, from: withExternalName },
)

const volume = object(
  { name: string(), driver: string(), driver_opts: options, external, labels },
  { nullable: true, from: withExternalName },
)

const fileObject: Fields = {
  name: string(),
  file: string(),
  environment: string(),
  content: string(),
  external,
  labels,
  driver: string(),
  driver_opts: options,
  template_driver: string(),
}
const { content: _content, ...secretFields } = fileObject
const { driver: _driver, driver_opts: _options, ...configFields } = fileObject

const resources = {
  models: map(
    object(
      { name: string(), model: string(), context_size: integer(), runtime_flags: list(text()) },
      { required: ['model'] },
    ),
    { keys: NAME },
  ),
  networks: map(network, { keys: NAME }),
  volumes: map(volume, { keys: NAME }),
  secrets: map(object(secretFields, { from: withExternalName }), { keys: NAME }),
  configs: map(object(configFields, { from: withExternalName }), { keys: NAME }),
} as const

const include = list(
  object(
    {
      path: list(string(), { single: true }),
      project_directory: string(),
      env_file: list(string(), { single: true }),
    },
    { from: fromPath, required: ['path'] },
  ),
)

export const project = object({
  version: string(),
  name: string(),
  include,
  services: map(service, { keys: NAME }),
  ...resources,
})

function fromPath(node: Node): Node | undefined {
  return node.kind === 'scalar' && typeof node.value === 'string'
    ? nodeOf({ path: node.value }, node.place)
    : undefined
}

function withExternalName(node: Node): Node | undefined {
  if (node.kind !== 'mapping') return undefined
  const given = node.entries.get('external')
  if (given?.kind !== 'mapping') return node
  const name = given.entries.get('name')
  const entries = new Map([...node.entries, ['external', nodeOf(true, given.place)] as const])
  if (name !== undefined && !entries.has('name')) entries.set('name', nodeOf(plainOf(name), name.place))
  return { ...node, entries }
}

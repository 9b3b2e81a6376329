import { type Node, nodeOf } from '../document/node.ts'
import { fromHosts } from './short/hosts.ts'
import { fromKeyValues } from './short/key-values.ts'
import { boolean, bytes, either, integer, list, map, object, string, text } from './shape.ts'
import { expandFileReference, fileReference } from './file-reference.ts'

/** Values by key, in either form; a key alone has no value. */
export const variables = map(text({ nullable: true }), { from: fromKeyValues() })

/** Values by key, in either form; a key alone has an empty value. */
export const labels = map(text(), { from: fromKeyValues(/=/, '') })

/** Texts that every file adds to, each once. */
export const names = list(text(), { merge: 'unique' })

export const ulimits = map(
  either(
    integer(),
    object(
      { soft: integer({ written: 'set' }), hard: integer({ written: 'set' }) },
      { required: ['soft', 'hard'] },
    ),
  ),
  { keys: /^[a-z]+$/ },
)

export const hosts = list(text(), { merge: 'unique', from: fromHosts, sorted: true })

/** `services.*.build`. */
export const build = object(
  {
    context: string(),
    dockerfile: string(),
    dockerfile_inline: string(),
    entitlements: names,
    args: variables,
    provenance: text(),
    sbom: text(),
    ssh: list(text(), { merge: 'unique', from: fromAgents, single: true }),
    labels,
    cache_from: list(text(), { single: true }),
    cache_to: list(text(), { single: true }),
    no_cache: boolean(),
    additional_contexts: map(text(), { from: fromKeyValues() }),
    pull: boolean(),
    extra_hosts: hosts,
    isolation: string(),
    network: string(),
    target: string(),
    secrets: list(fileReference, { merge: { by: sourceOf }, expand: expandFileReference }),
    shm_size: bytes(),
    tags: names,
    ulimits,
    platforms: names,
    privileged: boolean(),
  },
  { written: 'set', from: fromContext },
)

function fromContext(node: Node): Node | undefined {
  return node.kind === 'scalar' && typeof node.value === 'string'
    ? nodeOf({ context: node.value }, node.place)
    : undefined
}

/** `{default: null, id: path}` as `[default, id=path]`. */
function fromAgents(node: Node): Node | undefined {
  if (node.kind !== 'mapping') return undefined
  const agents = [...node.entries].map(([id, path]) =>
    path.kind === 'scalar' && path.value !== null ? `${id}=${path.value}` : id,
  )
  return nodeOf(agents, node.place)
}

function sourceOf(item: Node): string {
  return item.kind === 'mapping' ? JSON.stringify([valueOf(item, 'source'), valueOf(item, 'target')]) : ''
}

function valueOf(item: Node, key: string): unknown {
  const value = item.kind === 'mapping' ? item.entries.get(key) : undefined
  return value?.kind === 'scalar' ? value.value : undefined
}

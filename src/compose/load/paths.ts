import { isAbsolute, join, resolve } from 'node:path'
import { type Mapping, type Node, entryOf, scalar, textOf, withEntries } from '../document/node.ts'

/** Where relative paths of a file lead. */
export interface Base {
  readonly directory: string
  readonly home: string
}

type Rule = (node: Node, base: Base) => Node

/** The paths of a project file, as absolute ones. */
export function absolutePaths(project: Mapping, base: Base): Mapping {
  return within(project, {
    services: each(servicePaths),
    configs: each(at('file', path)),
    secrets: each(at('file', path)),
    volumes: each(bindingVolume),
  })(base)
}

/** The paths of one service, such as one that was taken from another file. */
export function absoluteServicePaths(service: Node, base: Base): Node {
  return servicePaths(service, base)
}

export function absolutePath(text: string, { directory, home }: Base): string {
  if (text === '~' || text.startsWith('~/')) return join(home, text.slice(1))
  return isAbsolute(text) || /^[a-zA-Z]:[\\/]/.test(text) ? text : resolve(directory, text)
}

const path: Rule = (node, base) => {
  const text = textOf(node)
  return text === undefined || text === ''
    ? node
    : { ...node, kind: 'scalar', value: absolutePath(text, base) }
}

/** Of a build: a URL, or a context by its scheme, stays what it is. */
const contextPath: Rule = (node, base) => {
  const text = textOf(node) ?? ''
  const isRemote = /^[a-z0-9-]+:\/\/|^(?:service|target|docker-image|oci-layout):|^git@|^github\.com\//.test(
    text,
  )
  return isRemote ? node : path(node, base)
}

const servicePaths: Rule = (service, base) => {
  if (service.kind !== 'mapping') return service
  const rules: Readonly<Record<string, Rule>> = {
    build: buildPaths,
    env_file: items(at('path', path)),
    label_file: items(path),
    extends: at('file', path),
    develop: at('watch', items(at('path', path))),
    volumes: items(mountPath),
  }
  return within(service, rules)(base)
}

const buildPaths: Rule = (build, base) => {
  const context = entryOf(build, 'context') ?? scalar('.', build.place)
  if (build.kind !== 'mapping') return build
  const rules = { context: contextPath, additional_contexts: each(contextPath) }
  return within(withEntries(build, { context }), rules)(base)
}

const mountPath: Rule = (mount, base) =>
  mount.kind === 'mapping' && textOf(mount.entries.get('type')) === 'bind'
    ? within(mount, { source: path })(base)
    : mount

/** The local driver binds a directory of the host where its options say so. */
const bindingVolume: Rule = (volume, base) => {
  const options = entryOf(volume, 'driver_opts')
  const isBinding = /(?:^|,)r?bind(?:,|$)/.test(textOf(entryOf(options, 'o')) ?? '')
  return isBinding ? at('driver_opts', at('device', path))(volume, base) : volume
}

function within(node: Mapping, rules: Readonly<Record<string, Rule>>): (base: Base) => Mapping {
  return (base) => {
    const changes = Object.entries(rules).flatMap(([key, rule]) => {
      const value = node.entries.get(key)
      return value === undefined ? [] : [[key, rule(value, base)] as const]
    })
    return withEntries(node, Object.fromEntries(changes))
  }
}

function at(key: string, rule: Rule): Rule {
  return (node, base) => (node.kind === 'mapping' ? within(node, { [key]: rule })(base) : node)
}

function items(rule: Rule): Rule {
  return (node, base) =>
    node.kind === 'sequence' ? { ...node, items: node.items.map((item) => rule(item, base)) } : node
}

function each(rule: Rule): Rule {
  return (node, base) =>
    node.kind === 'mapping'
      ? { ...node, entries: new Map([...node.entries].map(([key, value]) => [key, rule(value, base)])) }
      : node
}

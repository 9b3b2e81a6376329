import type { Service } from './project.ts'

/** Who needs whom: names of services by name. */
export type Graph = ReadonlyMap<string, readonly string[]>

export function dependencyGraph(services: Readonly<Record<string, Service>>): Graph {
  return new Map(
    Object.entries(services).map(([name, { depends_on = {} }]) => [
      name,
      Object.keys(depends_on).filter((other) => Object.hasOwn(services, other)),
    ]),
  )
}

/** A way from a name back to itself; undefined when there is none. */
export function findCycle(graph: Graph): readonly string[] | undefined {
  const done = new Set<string>()
  const visit = (name: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name]
    if (done.has(name)) return undefined
    for (const other of graph.get(name) ?? []) {
      const cycle = visit(other, [...trail, name])
      if (cycle !== undefined) return cycle
    }
    done.add(name)
    return undefined
  }
  for (const name of graph.keys()) {
    const cycle = visit(name, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}

/** The names, and all that they need, directly or not. */
export function withDependencies(names: Iterable<string>, graph: Graph): ReadonlySet<string> {
  const found = new Set<string>()
  const add = (name: string): void => {
    if (found.has(name)) return
    found.add(name)
    for (const other of graph.get(name) ?? []) add(other)
  }
  for (const name of names) add(name)
  return found
}

/** Names so that each comes after all it needs; among equals by name. */
export function inDependencyOrder(graph: Graph): readonly string[] {
  const ordered = new Set<string>()
  const add = (name: string): void => {
    if (ordered.has(name)) return
    for (const other of [...(graph.get(name) ?? [])].toSorted()) add(other)
    ordered.add(name)
  }
  for (const name of [...graph.keys()].toSorted()) add(name)
  return [...ordered]
}

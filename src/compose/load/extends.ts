import { dirname } from 'node:path'
import { problemAt } from '../document/errors.ts'
import { type Mapping, type Node, entryOf, textOf, withEntries } from '../document/node.ts'
import { service as serviceShape } from '../schema/service.ts'
import { merge } from './merge.ts'
import { absolutePath, absoluteServicePaths } from './paths.ts'
import { type Loading, type Surroundings, readSource } from './source.ts'

/** The file with each service that extends another one put together: what it extends first, then its own. */
export function applyExtends(
  source: Mapping,
  file: string,
  surroundings: Surroundings,
  loading: Loading,
): Mapping {
  const services = source.entries.get('services')
  if (services?.kind !== 'mapping') return source
  const extender = new Extender(surroundings, loading)
  const entries = [...services.entries.keys()].map(
    (name) => [name, extender.service(name, { file, services }, [])] as const,
  )
  return withEntries(source, { services: { ...services, entries: new Map(entries) } })
}

/** Services of one file, among which a name is looked up. */
interface Shelf {
  readonly file: string
  readonly services: Mapping
}

class Extender {
  readonly #surroundings: Surroundings
  readonly #loading: Loading
  readonly #shelves = new Map<string, Shelf>()

  constructor(surroundings: Surroundings, loading: Loading) {
    this.#surroundings = surroundings
    this.#loading = loading
  }

  /** `trail`: those on whose behalf it is looked up, so that a circle is noticed. */
  service(name: string, shelf: Shelf, trail: readonly string[]): Node {
    const service = shelf.services.entries.get(name)
    if (service?.kind !== 'mapping') return service ?? shelf.services
    const wish = service.entries.get('extends')
    const baseName = textOf(entryOf(wish, 'service'))
    if (wish === undefined || baseName === undefined) return service
    const here = `${name} in ${shelf.file}`
    if (trail.includes(here)) {
      throw problemAt(wish.place, `services extend each other in a circle: ${[...trail, here].join(' -> ')}`)
    }
    const file = textOf(entryOf(wish, 'file'))
    const other = file === undefined ? shelf : this.#shelf(file, shelf, wish)
    if (!other.services.entries.has(baseName)) {
      throw problemAt(
        wish.place,
        `service ${JSON.stringify(name)} extends ${JSON.stringify(baseName)}, which is not in ${other.file}`,
      )
    }
    const base = this.service(baseName, other, [...trail, here])
    const rebased = other === shelf ? base : this.#rebase(base, other.file)
    return merge(rebased, withEntries(service, { extends: undefined }), serviceShape, `services.${name}`)
  }

  #shelf(file: string, from: Shelf, wish: Node): Shelf {
    const { directory } = this.#surroundings
    const base = from.file === '-' || !this.#shelves.has(from.file) ? directory : dirname(from.file)
    const path = absolutePath(file, { directory: base, home: this.#loading.home })
    if (path === from.file) return from
    const known = this.#shelves.get(path)
    if (known !== undefined) return known
    if (this.#loading.files.read(path) === undefined)
      throw problemAt(wish.place, `cannot read ${path}, which is extended here`)
    const source = readSource(path, this.#surroundings, this.#loading)
    const services = source.entries.get('services')
    if (services?.kind !== 'mapping') throw problemAt(wish.place, `${path} has no services to extend`)
    const shelf = { file: path, services }
    this.#shelves.set(path, shelf)
    return shelf
  }

  #rebase(service: Node, file: string): Node {
    const { home, resolvesPaths } = this.#loading
    return resolvesPaths ? absoluteServicePaths(service, { directory: dirname(file), home }) : service
  }
}

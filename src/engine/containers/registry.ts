import type { Digest } from '#base/digest.ts'
import { EngineError, messageOf } from '#base/errors.ts'
import { isId } from '#base/ids.ts'
import type { Logger } from '#base/logger.ts'
import type { ContainerRow, ContainerRows } from '#store/containers.ts'
import type { Container } from './container.ts'
import { decodeContainer, encodeContainer, unreadable } from './container-record.ts'
import { ambiguousPrefix, emptyReference, nameTaken, noSuchContainer } from './errors.ts'
import { canBecome } from './state.ts'

/**
 * All containers: immutable values in memory for readers, rows in the database for the next daemon. Reads never wait.
 * A change is one synchronous step: the row is written, then the value in memory is replaced.
 */
export class ContainerRegistry {
  readonly #rows: ContainerRows
  readonly #logger: Logger
  readonly #byId = new Map<string, Container>()
  readonly #idByName = new Map<string, string>()
  readonly #watchers = new Set<() => void>()

  /** A row that cannot be read keeps nobody from working: its container is dead, and can be removed. */
  constructor(rows: ContainerRows, logger: Logger) {
    this.#rows = rows
    this.#logger = logger
    for (const row of rows.all()) this.#remember(this.#read(row))
  }

  /** Full id, then exact name, then unique id prefix; a leading `/` of a name is ignored. */
  resolve(ref: string): Container {
    if (ref === '') throw emptyReference()
    const found = this.find(ref)
    if (found === undefined) throw noSuchContainer(ref)
    return found
  }

  find(ref: string): Container | undefined {
    const exact = this.#byId.get(ref) ?? this.named(ref.replace(/^\//, ''))
    if (exact !== undefined) return exact
    if (!/^[0-9a-f]+$/.test(ref) || isId(ref)) return undefined
    const matches = [...this.#byId.keys()].filter((id) => id.startsWith(ref))
    if (matches.length > 1) throw ambiguousPrefix(ref)
    return matches[0] === undefined ? undefined : this.#byId.get(matches[0])
  }

  /** By exact name, without the leading slash. */
  named(name: string): Container | undefined {
    const id = this.#idByName.get(name)
    return id === undefined ? undefined : this.#byId.get(id)
  }

  /** By full id; undefined once it is removed. */
  get(id: string): Container | undefined {
    return this.#byId.get(id)
  }

  /** Newest first. */
  all(): Container[] {
    return [...this.#byId.values()].reverse()
  }

  usingImage(imageId: Digest): Container[] {
    return this.all().filter(
      (container) => container.imageId === imageId || imagesOf(container).includes(imageId),
    )
  }

  /** Fails with `conflict` when the name is taken. */
  add(container: Container): void {
    this.#checkName(container)
    this.#rows.insert(encodeContainer(container), volumesOf(container), imagesOf(container))
    this.#remember(container)
  }

  /** Replaces the stored value; returns the new one. */
  update(id: string, change: Partial<Omit<Container, 'id'>>): Container {
    const before = this.#byId.get(id)
    if (before === undefined) throw noSuchContainer(id)
    const after: Container = { ...before, ...change }
    checkTransition(before, after)
    if (after.name !== before.name) this.#checkName(after)
    this.#rows.update(encodeContainer(after))
    this.#idByName.delete(before.name)
    this.#remember(after)
    this.#changed()
    return after
  }

  /**
   * What has happened holds, whether or not the disk takes it (it may be full): it is in memory at once, and the row is
   * written with the next change. Recovery finds out for itself.
   */
  observe(id: string, change: Partial<Omit<Container, 'id' | 'name'>>): void {
    try {
      this.update(id, change)
    } catch (error) {
      this.#logger.error('what happened to a container cannot be written', { container: id, error })
      const before = this.#byId.get(id)
      if (before !== undefined) this.#byId.set(id, { ...before, ...change })
      this.#changed()
    }
  }

  /** `within` may remove more rows in the same transaction. */
  remove(id: string, within?: () => void): void {
    const container = this.#byId.get(id)
    if (container === undefined) return
    this.#rows.remove(id, within)
    this.#byId.delete(id)
    this.#idByName.delete(container.name)
    this.#changed()
  }

  /** Calls `onChange` after every change, synchronously, until it is disposed. */
  watch(onChange: () => void): Disposable {
    this.#watchers.add(onChange)
    return { [Symbol.dispose]: () => void this.#watchers.delete(onChange) }
  }

  /** Everything so far survives a power cut once this resolves. */
  durable(): Promise<void> {
    return this.#rows.durable()
  }

  #read(row: ContainerRow): Container {
    try {
      return decodeContainer(row)
    } catch (error) {
      const { id, name } = row
      this.#logger.error('the row of a container cannot be read; its files are kept until it is removed', {
        container: id,
        name,
        error,
      })
      return unreadable(row, messageOf(error))
    }
  }

  #changed(): void {
    for (const onChange of this.#watchers) onChange()
  }

  #checkName({ id, name }: Container): void {
    const owner = this.#idByName.get(name)
    if (owner !== undefined && owner !== id) throw nameTaken(name, owner)
  }

  #remember(container: Container): void {
    this.#byId.set(container.id, container)
    this.#idByName.set(container.name, container.id)
  }
}

/** A state that cannot follow is a mistake of ours: it is refused before it is stored. */
function checkTransition(before: Container, after: Container): void {
  const [from, to] = [before.state.status, after.state.status]
  if (from === to || canBecome(from, to)) return
  throw new EngineError('internal', `container ${before.id} cannot become ${to}: it is ${from}`, {
    code: 'CONTAINER_TRANSITION',
    details: { id: before.id, from, to },
  })
}

/** Images that it mounts. */
function imagesOf(container: Container): Digest[] {
  return container.mounts.flatMap(({ image }) => image?.id ?? [])
}

function volumesOf(container: Container): string[] {
  return container.mounts.flatMap(({ type, name }) => (type === 'volume' && name !== undefined ? [name] : []))
}

import type { KeyedMutex } from '#base/mutex.ts'
import type { Cancellable } from '../services.ts'
import type { Container } from './container.ts'
import type { ContainerRegistry } from './registry.ts'

/** A container whose lock is held. Disposing it again is harmless. */
export interface Locked extends Disposable {
  /** As it was when the lock was acquired. */
  readonly container: Container
}

/** The container as it is once its lock is held. A name may lead to another one by then. */
export async function lockContainer(
  { registry, locks }: { readonly registry: ContainerRegistry; readonly locks: KeyedMutex },
  ref: string,
  options: Cancellable = {},
): Promise<Locked> {
  for (;;) {
    const { id } = registry.resolve(ref)
    const lock = await locks.acquire(id, options)
    const container = registry.get(id)
    if (container !== undefined) return { container, [Symbol.dispose]: () => lock[Symbol.dispose]() }
    lock[Symbol.dispose]()
  }
}

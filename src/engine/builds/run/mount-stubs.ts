import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TreeRecord } from '#os/tree.ts'
import { type DirectoryFacts, type StepRoot, factsOf } from './step-root.ts'

/** Where the runtime mounts something in every container, whatever the image has there. */
const ALWAYS: readonly string[] = ['/proc', '/dev', '/sys']

/**
 * Places that the runtime makes in the root filesystem to mount something on them: those that the layers below do not have.
 * They are no part of what a step has changed, and are left out of its layer as long as nothing else is in them. Nothing is
 * removed for it: a path that a step has turned into a symlink leads nowhere (CVE-2024-23652).
 */
export class MountStubs {
  readonly #made = new Set<string>()
  /** Directories of the layers below in which stubs are made. */
  readonly #parents = new Map<string, DirectoryFacts>()

  /** Looked at before the process begins. */
  constructor(root: StepRoot, targets: readonly string[]) {
    for (const target of [...ALWAYS, ...targets]) {
      const { path, existing } = root.resolve(target)
      const names = path.split('/')
      for (let count = 1; count <= names.length; count++) {
        const place = names.slice(0, count).join('/')
        if (count > existing) this.#made.add(place)
        else this.#remember(root, place)
      }
    }
  }

  /** True for a record of an upper directory that may be nothing but such a place. */
  has({ path, type, size, opaque }: TreeRecord): boolean {
    return this.#made.has(path) && (type === 'directory' ? opaque !== true : type === 'file' && size === 0)
  }

  /** What a directory was like before the process; undefined when that is not known here. */
  before(path: string): DirectoryFacts | undefined {
    return this.#parents.get(path)
  }

  /** True when an upper directory holds nothing but stubs. Of no use for a step that may have unmounted something. */
  isAllIn(upper: string, path = ''): boolean {
    return readdirSync(join(upper, path)).every((name) => {
      const child = path === '' ? name : `${path}/${name}`
      const stats = lstatSync(join(upper, child))
      if (stats.isFile()) return stats.size === 0 && this.#made.has(child)
      if (!stats.isDirectory()) return false
      const before = this.#parents.get(child)
      const same = before === undefined ? this.#made.has(child) : sameDirectory(before, factsOf(stats))
      return same && this.isAllIn(upper, child)
    })
  }

  #remember(root: StepRoot, path: string): void {
    const facts = this.#parents.has(path) ? undefined : root.directory(path)
    if (facts !== undefined) this.#parents.set(path, facts)
  }
}

export function sameDirectory(a: DirectoryFacts, b: DirectoryFacts): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid
}

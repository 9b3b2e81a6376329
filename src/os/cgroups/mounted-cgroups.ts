import { readFile, rmdir } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { EngineError, isErrno } from '#base/errors.ts'
import type { MountEntry } from '../proc/mountinfo.ts'
import { parseMountinfo } from '../proc/mountinfo.ts'
import { CgroupV1 } from './cgroup-v1.ts'
import { CgroupV2 } from './cgroup-v2.ts'
import type { Cgroup, Cgroups } from './cgroups.ts'
import { parseProcessCgroups } from './parse.ts'

const CONTROLLERS = ['memory', 'cpu', 'cpuacct', 'pids', 'blkio', 'freezer'] as const

/** A mounted hierarchy: where, and which of its directories that shows. */
interface Hierarchy {
  readonly mountPoint: string
  readonly root: string
}

/** The hierarchies as mounted. Version 1 counts as in use as soon as one of the controllers we need is there. */
export class MountedCgroups implements Cgroups {
  readonly version: 'v1' | 'v2'
  readonly #hierarchies: ReadonlyMap<string, Hierarchy>
  /** Also those whose counters nobody reads: runtimes make groups in all of them. */
  readonly #all: readonly Hierarchy[]

  constructor(mounts: readonly MountEntry[]) {
    const found = new Map<string, Hierarchy>()
    for (const { type, mountPoint, root, superOptions } of mounts) {
      if (type === 'cgroup2' && !found.has('')) found.set('', { mountPoint, root })
      if (type !== 'cgroup') continue
      for (const controller of CONTROLLERS) {
        if (superOptions.includes(controller) && !found.has(controller))
          found.set(controller, { mountPoint, root })
      }
    }
    this.#hierarchies = found
    this.#all = mounts.filter(({ type }) => type === 'cgroup' || type === 'cgroup2')
    this.version = CONTROLLERS.some((controller) => found.has(controller)) ? 'v1' : 'v2'
  }

  directory(cgroupsPath: string): string {
    return this.at(cgroupsPath).directory
  }

  at(cgroupsPath: string): Cgroup {
    // The root group holds the whole machine, and a group can be killed.
    if (!/^\/[^/]/.test(normalize(cgroupsPath))) {
      throw new EngineError('invalid_argument', `invalid cgroup path: ${JSON.stringify(cgroupsPath)}`, {
        code: 'CGROUP_PATH',
      })
    }
    return this.#cgroup(() => cgroupsPath)
  }

  async of(pid: number): Promise<Cgroup | undefined> {
    let text: string
    try {
      text = await readFile(`/proc/${pid}/cgroup`, 'utf8')
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined
      throw error
    }
    const paths = parseProcessCgroups(text)
    return this.#cgroup((controller) => paths.get(controller))
  }

  async removeEmpty(cgroupsPath: string): Promise<void> {
    this.at(cgroupsPath)
    for (const hierarchy of this.#all) {
      try {
        await rmdir(directoryIn(hierarchy, cgroupsPath))
      } catch (error) {
        if (!isErrno(error, 'ENOENT', 'EBUSY', 'ENOTEMPTY', 'EROFS')) throw error
      }
    }
  }

  #cgroup(pathOf: (controller: string) => string | undefined): Cgroup {
    const directory = (controller: string): string | undefined => {
      const hierarchy = this.#hierarchies.get(controller)
      const path = pathOf(controller)
      return hierarchy === undefined || path === undefined ? undefined : directoryIn(hierarchy, path)
    }
    if (this.version === 'v2') return new CgroupV2(directory('') ?? missing())
    return new CgroupV1(Object.fromEntries(CONTROLLERS.map((name) => [name, directory(name)])))
  }
}

/** The hierarchies of this process' mount namespace. */
export async function mountedCgroups(): Promise<MountedCgroups> {
  return new MountedCgroups(parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8')))
}

function missing(): never {
  throw new EngineError('unavailable', 'no cgroup hierarchy is mounted', { code: 'CGROUP_MISSING' })
}

function directoryIn({ mountPoint, root }: Hierarchy, path: string): string {
  const below =
    root !== '/' && (path === root || path.startsWith(`${root}/`)) ? path.slice(root.length) : path
  return join(mountPoint, below)
}

import { join, posix } from 'node:path'
import type { HostConfig } from '#api/generated/types.ts'
import type { Cgroups } from '#os/cgroups/cgroups.ts'
import type { OciRuntime, StartedContainer } from '#runtime/oci-runtime.ts'
import type { Directories } from './directories.ts'

export interface RemainsDeps {
  readonly cgroups: Cgroups
  readonly runtime: Pick<OciRuntime, 'delete' | 'root'>
  readonly directories: Pick<Directories, 'remove'>
  /** Parent of all containers that name none. */
  readonly cgroupParent: string
}

/** What a container has in the kernel beside its shim, found by its id alone. */
export class Remains {
  readonly #deps: RemainsDeps

  constructor(deps: RemainsDeps) {
    this.#deps = deps
  }

  /**
   * Kills the processes of a container that has lost its shim, waits until they are gone, and removes its control
   * groups and what the runtime knows of it. Nothing to do is success.
   */
  async end(container: StartedContainer, hostConfig: HostConfig = {}): Promise<void> {
    const { cgroups, runtime, cgroupParent, directories } = this.#deps
    const { id } = container
    const path = cgroupsPath(id, hostConfig, cgroupParent)
    // Before the runtime is asked: it does not wait for the processes, and cannot remove a group that still has some.
    await cgroups.at(path).kill()
    await runtime.delete(container)
    // Of a runtime that is not there any more, or was not the one that was asked.
    await directories.remove(join(runtime.root, id))
    await cgroups.removeEmpty(path)
  }
}

/** `linux.cgroupsPath` of a container. */
export function cgroupsPath(id: string, { CgroupParent }: HostConfig, cgroupParent: string): string {
  return posix.join('/', CgroupParent || cgroupParent, id)
}

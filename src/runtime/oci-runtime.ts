import { EngineError } from '#base/errors.ts'
import type { Helper } from '#os/helper.ts'

/** The commands of an OCI runtime (crun, runc) that the daemon gives itself; starting is the shim's business. */
export class OciRuntime {
  readonly binary: string
  readonly root: string
  readonly #helper: Helper

  constructor(helper: Helper, options: { readonly binary: string; readonly root: string }) {
    this.#helper = helper
    this.binary = options.binary
    this.root = options.root
  }

  async pause(id: string): Promise<void> {
    await this.#run(id, ['pause', id])
  }

  async resume(id: string): Promise<void> {
    await this.#run(id, ['resume', id])
  }

  /** `resources` is the `linux.resources` object of the runtime-spec. */
  async update(id: string, resources: object): Promise<void> {
    await this.#run(id, ['update', '--resources', '-', id], JSON.stringify(resources))
  }

  /** Kills what is left of a container and removes its cgroup and state; one that is not there is no error. */
  async delete(id: string): Promise<void> {
    await this.#helper.run([this.binary, '--root', this.root, 'delete', '--force', id])
  }

  async #run(id: string, args: readonly string[], stdin = ''): Promise<void> {
    const result = await this.#helper.run([this.binary, '--root', this.root, ...args], { stdin })
    if (result.code === 0) return
    throw new EngineError('internal', `${args[0] ?? ''} container ${id}: ${result.stderr.trim()}`, {
      code: 'RUNTIME_FAILED',
      details: { id, command: args[0], exitCode: result.code },
    })
  }
}

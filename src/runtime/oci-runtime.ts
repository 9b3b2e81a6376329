import { EngineError } from '#base/errors.ts'
import type { Helper, RunResult } from '#os/helper.ts'

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

  /** A container whose process has ended needs no thawing: that is no error. */
  async resume(id: string): Promise<void> {
    const { code, stderr } = await this.#call(['resume', id])
    if (code !== 0 && !/not running|does not exist/.test(stderr)) throw failed(id, 'resume', code, stderr)
  }

  /** `resources` is the `linux.resources` object of the runtime-spec. */
  async update(id: string, resources: object): Promise<void> {
    await this.#run(id, ['update', '--resources', '-', id], JSON.stringify(resources))
  }

  /** Kills what is left of a container and removes its cgroup and state; one that is not there is no error. */
  async delete(id: string): Promise<void> {
    await this.#call(['delete', '--force', id])
  }

  async #run(id: string, args: readonly [string, ...string[]], stdin = ''): Promise<void> {
    const { code, stderr } = await this.#call(args, stdin)
    if (code !== 0) throw failed(id, args[0], code, stderr)
  }

  #call(args: readonly string[], stdin = ''): Promise<RunResult> {
    return this.#helper.run([this.binary, '--root', this.root, ...args], { stdin })
  }
}

function failed(id: string, command: string, exitCode: number, stderr: string): EngineError {
  // crun and runc, each in its own words, about a container that has ended meanwhile.
  if (/not running|no such process|does not exist|\/status`: no such file/i.test(stderr)) {
    return new EngineError('conflict', `container ${id} is not running`, {
      code: 'RUNTIME_NOT_RUNNING',
      details: { id, command, stderr: stderr.trim() },
    })
  }
  return new EngineError('internal', `${command} container ${id}: ${stderr.trim()}`, {
    code: 'RUNTIME_FAILED',
    details: { id, command, exitCode },
  })
}

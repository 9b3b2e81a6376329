import { EngineError } from '#base/errors.ts'
import type { Helper, RunResult } from '#os/helper.ts'

/** A container and what it was started with. */
export interface StartedContainer {
  readonly id: string
  /** What the OCI runtime was executed as; undefined: the default, as for lives that began before this was written down. */
  readonly runtime: string | undefined
}

/** The commands of an OCI runtime (crun, runc) that the daemon gives itself; starting is the shim's business. */
export class OciRuntime {
  /** Where all runtimes keep what they know of containers. */
  readonly root: string
  readonly #helper: Pick<Helper, 'run'>
  readonly #binary: string

  /** `binary`: the default. */
  constructor(helper: Pick<Helper, 'run'>, options: { readonly binary: string; readonly root: string }) {
    this.#helper = helper
    this.#binary = options.binary
    this.root = options.root
  }

  async pause(container: StartedContainer): Promise<void> {
    await this.#run(container, ['pause', container.id])
  }

  /** A container whose process has ended needs no thawing: that is no error. */
  async resume(container: StartedContainer): Promise<void> {
    const { id } = container
    const { code, stderr } = await this.#call(container, ['resume', id])
    if (code !== 0 && !/not running|does not exist/.test(stderr)) throw failed(id, 'resume', code, stderr)
  }

  /** `resources` is the `linux.resources` object of the runtime-spec. */
  async update(container: StartedContainer, resources: object): Promise<void> {
    await this.#run(container, ['update', '--resources', '-', container.id], JSON.stringify(resources))
  }

  /** Kills what is left of a container and removes its cgroup and state; one that is not there is no error. */
  async delete(container: StartedContainer): Promise<void> {
    await this.#call(container, ['delete', '--force', container.id])
  }

  async #run(container: StartedContainer, args: readonly [string, ...string[]], stdin = ''): Promise<void> {
    const { code, stderr } = await this.#call(container, args, stdin)
    if (code !== 0) throw failed(container.id, args[0], code, stderr)
  }

  #call({ runtime }: StartedContainer, args: readonly string[], stdin = ''): Promise<RunResult> {
    return this.#helper.run([runtime ?? this.#binary, '--root', this.root, ...args], { stdin })
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

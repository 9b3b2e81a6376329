import type { Duplex } from 'node:stream'
import { FrameReader, streamType } from '#api/stdcopy.ts'
import { type Clock, settlesWithin } from '#base/clock.ts'
import { messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { abortable } from '#base/mutex.ts'
import type { RunStep } from '#build/graph/operations.ts'
import type { RunOutput } from '#build/solve/ports.ts'
import type { Helper } from '#os/helper.ts'
import { processStartTime } from '#os/proc/process-stat.ts'
import type { Shim, ShimConfig, Shims } from '#runtime/shim.ts'
import type { Remains } from '../../containers/remains.ts'
import { startError } from '../../containers/start-error.ts'
import { KILL_PATIENCE, SHIM_PATIENCE, Task, type TaskEnd } from '../../containers/task.ts'
import { processLost, processNotPrepared, processNotStarted } from './errors.ts'

export interface StepProcessDeps {
  readonly shims: Shims
  readonly helper: Pick<Helper, 'kill'>
  readonly remains: Pick<Remains, 'end'>
  readonly clock: Clock
  readonly logger: Logger
}

const SIGKILL = 9
/** Milliseconds between two looks at a shim that lives but has ended our watch. */
const WATCH_AGAIN = 100

/** The process of a step in a shim of its own. Disposing it kills what still runs and waits until nothing is left of it. */
export class StepProcess implements AsyncDisposable {
  readonly shimPid: number
  readonly #id: string
  readonly #step: RunStep
  readonly #deps: StepProcessDeps
  readonly #task: Task

  private constructor(
    shim: Shim & { readonly pid: number },
    id: string,
    step: RunStep,
    deps: StepProcessDeps,
  ) {
    this.shimPid = shim.pid
    this.#id = id
    this.#step = step
    this.#deps = deps
    const silent = { started: () => undefined, exited: () => undefined, oom: () => undefined }
    this.#task = new Task(id, shim, {
      listener: silent,
      lost: () => this.#lost(),
      logger: deps.logger,
    })
  }

  static async spawn(
    directory: string,
    config: ShimConfig,
    step: RunStep,
    deps: StepProcessDeps,
  ): Promise<StepProcess> {
    return new StepProcess(await deps.shims.spawn(directory, config), config.id, step, deps)
  }

  /** The root filesystem, mounts and network are there. */
  async ready(signal: AbortSignal): Promise<void> {
    try {
      await abortable(this.#task.ready, signal)
    } catch (error) {
      signal.throwIfAborted()
      throw processNotPrepared(this.#step.args, messageOf(error))
    }
  }

  /** Runs the process to its end, and tells all it writes. Fails when it cannot be started, or was lost. */
  async run(onOutput: RunOutput['onOutput'], signal: AbortSignal): Promise<TaskEnd> {
    const { shim, exited, gone } = this.#task
    const stream = await shim.attach('init', { stdin: false, stdout: true, stderr: true })
    const output = passOn(stream, onOutput)
    try {
      signal.throwIfAborted()
      await abortable(this.#start(), signal)
      // Nobody will want its exit record: it need not be synced.
      await shim.discard()
      const end = await abortable(Promise.race([exited, gone.then(() => undefined)]), signal)
      if (end === undefined || end.error !== '') throw processLost(this.#step.args, end?.error ?? LOST)
      await abortable(output, signal)
      return end
    } finally {
      stream.destroy()
      await output
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, logger } = this.#deps
    const { gone } = this.#task
    if (!(await settlesWithin(clock, SHIM_PATIENCE, this.#stop()))) await this.#killShim()
    if (await settlesWithin(clock, KILL_PATIENCE, gone)) return
    logger.error('the process of a build step does not end', { step: this.#id })
  }

  async #start(): Promise<void> {
    try {
      await this.#task.shim.start()
    } catch (error) {
      // It runs: only the answer was lost.
      if (this.#task.begun) return
      throw processNotStarted(this.#step.args, startError(this.#step.args[0] ?? '', messageOf(error)), error)
    }
  }

  /** A shim that cannot be asked is one that does not answer. */
  async #stop(): Promise<void> {
    const { shim } = this.#task
    try {
      await shim.discard()
      await shim.kill('init', SIGKILL)
    } catch (error) {
      this.#deps.logger.warn('the supervisor of a build step does not take requests', {
        step: this.#id,
        error,
      })
      await this.#killShim()
    }
  }

  async #killShim(): Promise<void> {
    const startTime = await processStartTime(this.shimPid)
    if (startTime !== undefined) await this.#deps.helper.kill(this.shimPid, startTime, SIGKILL)
  }

  /** The shim was killed: whatever it left is ended. */
  async #lost(): Promise<TaskEnd | undefined> {
    const { shims, remains, clock } = this.#deps
    if ((await shims.connect(this.#task.shim.directory)) !== undefined) {
      await clock.sleep(WATCH_AGAIN)
      return undefined
    }
    const { cgroupParent } = this.#step.limits
    const hostConfig = cgroupParent === undefined ? {} : { CgroupParent: cgroupParent }
    await remains.end({ id: this.#id, runtime: undefined }, hostConfig)
    return { code: 137, oomKilled: false, at: clock.now(), error: LOST }
  }
}

const LOST = 'its supervisor was killed'

/** Until the shim has sent all there is; a shim that is gone has nothing more. */
async function passOn(stream: Duplex, onOutput: RunOutput['onOutput']): Promise<void> {
  const frames = new FrameReader()
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.on('data', (chunk: Buffer) => {
    for (const { type, payload } of frames.push(chunk)) {
      onOutput(type === streamType.stderr ? 2 : 1, payload)
    }
  })
  stream.once('end', resolve).once('close', resolve)
  stream.on('error', () => resolve())
  await promise
}

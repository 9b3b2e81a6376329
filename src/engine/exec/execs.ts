import { FrameReader, frame, streamType } from '#api/stdcopy.ts'
import type { Background } from '#base/background.ts'
import { type Clock, settlesWithin } from '#base/clock.ts'
import { EngineError, isKind, messageOf } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import { AttachStream } from '../containers/attach-stream.ts'
import type { Container } from '../containers/container.ts'
import type { Directories } from '../containers/directories.ts'
import { detachFilter, parseDetachKeys } from '../containers/detach-keys.ts'
import { isPaused, notRunning, wrongState } from '../containers/errors.ts'
import type { ContainerEvents } from '../containers/events.ts'
import type { PathsOf } from '../containers/paths.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import { startError } from '../containers/start-error.ts'
import type { Supervisor } from '../containers/supervisor.ts'
import type { Task } from '../containers/task.ts'
import type { AttachedStream, ExecCreateBody, ExecService } from '../services.ts'

/** An exec: created, then running, then kept for a while with its exit code. */
interface Exec {
  readonly id: string
  readonly containerId: string
  readonly body: ExecCreateBody
  state: 'created' | 'running' | 'exited'
  pid: number
  exitCode: number | null
  /** The life of the container that it was made for: in another one it is not known any more. */
  readonly life: Task
  /** The same, once it runs. */
  task: Task | undefined
  /** Settles once the process runs or has failed to; never rejects. */
  spawned: Promise<void>
  /** Its exit code; undefined when the daemon ends before it does. */
  ended: Promise<number | undefined> | undefined
}

/** Writes what the runtime needs for one more process: an OCI `process` object. */
export type ExecProcess = (
  container: Container,
  body: ExecCreateBody,
  consoleSize: readonly number[] | undefined,
) => Promise<object>

export interface ExecsDeps {
  readonly registry: ContainerRegistry
  readonly supervisor: Supervisor
  readonly process: ExecProcess
  readonly events: ContainerEvents
  readonly paths: PathsOf
  readonly directories: Directories
  readonly background: Background
  readonly clock: Clock
}

/** Ended execs are kept so that clients can ask for the exit code; the oldest go first. */
const KEPT = 1000
const CANNOT_START = 126
/** Milliseconds from the end of a container to the word of it. */
const END_PATIENCE = 1000
/** It was lost with its container. */
const UNKNOWN_EXIT = 137

interface Spawning {
  readonly detach: boolean
  readonly consoleSize?: readonly number[] | undefined
  readonly stream: AttachStream | undefined
}
const SEEN_ENDING = 'container is not running'
const START_FAILED = 'EXEC_START_FAILED'

/** Further processes in running containers. */
export class Execs implements ExecService {
  readonly #deps: ExecsDeps
  readonly #execs = new Map<string, Exec>()

  constructor(deps: ExecsDeps) {
    this.#deps = deps
  }

  async create(containerRef: string, body: ExecCreateBody): Promise<{ Id: string }> {
    if ((body.Cmd ?? []).length === 0) {
      throw new EngineError('invalid_argument', 'No exec command specified', { code: 'EXEC_NO_COMMAND' })
    }
    const container = this.#deps.registry.resolve(containerRef)
    const life = this.#task(container, containerRef)
    parseDetachKeys(body.DetachKeys ?? undefined)
    // A user that is not there is told now: once it starts, the reason could only be output.
    if (body.User || body.WorkingDir) await this.#deps.process(container, body, undefined)
    const exec: Exec = {
      id: newId(),
      containerId: container.id,
      body,
      state: 'created',
      pid: 0,
      exitCode: null,
      life,
      task: undefined,
      spawned: Promise.resolve(),
      ended: undefined,
    }
    this.#execs.set(exec.id, exec)
    this.#trim()
    this.#publish(exec, `exec_create: ${commandLine(body)}`)
    return { Id: exec.id }
  }

  async start(
    id: string,
    options: {
      readonly detach: boolean
      readonly tty: boolean
      readonly consoleSize?: readonly number[] | undefined
    },
  ): Promise<AttachedStream | undefined> {
    const exec = this.#resolve(id)
    const container = this.#deps.registry.resolve(exec.containerId)
    if (exec.state === 'created' && this.#deps.supervisor.running(container.id) !== exec.life)
      throw noSuchExec(id)
    const task = this.#task(container)
    if (exec.state !== 'created') return begunAlready(exec, options)
    exec.state = 'running'
    if (options.detach) {
      const spawning = this.#spawn(container, exec, task, { ...options, stream: undefined })
      exec.spawned = spawning.catch(() => undefined)
      await spawning
      return undefined
    }
    const { tty } = options
    const stream = this.#stream(exec, tty)
    // The client is answered before the process can write: some read the head with a buffer of their own and would
    // lose output that comes with it.
    exec.spawned = this.#spawn(container, exec, task, { ...options, stream }).catch((failure: unknown) => {
      stream.abandon(lastWords(failure, tty))
    })
    this.#deps.background.run('starting an exec', () => exec.spawned)
    return { tty, stream }
  }

  async #spawn(
    container: Container,
    exec: Exec,
    task: Task,
    { detach, consoleSize, stream }: Spawning,
  ): Promise<void> {
    const { directories, paths, background } = this.#deps
    const { id, body } = exec
    const file = paths(container.id).execFile(id)
    const size = consoleSize ?? body.ConsoleSize ?? undefined
    this.#publish(exec, `exec_start: ${commandLine(body)}`)
    try {
      const process = await this.#deps.process(container, body, size)
      await directories.write(file, JSON.stringify(process))
      const started = await task.shim.exec(id, body.Tty === true, {
        stdin: !detach && body.AttachStdin === true,
        stdout: !detach && body.AttachStdout === true,
        stderr: !detach && body.AttachStderr === true,
      })
      exec.pid = started.pid
      if (started.stream !== undefined) stream?.connect(started.stream)
      else stream?.abandon()
    } catch (error) {
      await this.#end(task, error)
      throw this.#failed(exec, task, error)
    } finally {
      // The runtime has read it; a health check would leave one with every probe.
      background.run('removing the file of an exec', () => directories.removeFile(file))
    }
    exec.task = task
    exec.ended = task.execExit(id)
    background.run('waiting for an exec', () => this.#ended(exec))
  }

  inspect(id: string): object {
    const exec = this.#resolve(id)
    const { body } = exec
    const [entrypoint = '', ...args] = body.Cmd ?? []
    return {
      ID: exec.id,
      Running: exec.state === 'running',
      ExitCode: exec.exitCode,
      ProcessConfig: {
        tty: body.Tty === true,
        entrypoint,
        arguments: args,
        privileged: body.Privileged === true,
        ...(body.User === undefined || body.User === null || body.User === '' ? {} : { user: body.User }),
      },
      OpenStdin: body.AttachStdin === true,
      OpenStderr: body.AttachStderr === true,
      OpenStdout: body.AttachStdout === true,
      CanRemove: false,
      ContainerID: exec.containerId,
      DetachKeys: body.DetachKeys ? Buffer.from(parseDetachKeys(body.DetachKeys)).toString('base64') : '',
      Pid: exec.pid,
    }
  }

  async resize(id: string, rows: number, columns: number): Promise<void> {
    const exec = this.#resolve(id)
    await exec.spawned
    const task = this.#deps.supervisor.running(exec.containerId)
    if (task === undefined || exec.state !== 'running') throw notRunning(exec.containerId)
    if (exec.body.Tty === true) await task.shim.resize(id, rows, columns)
  }

  /** Ids of the execs of a container that have not ended. */
  openIn(containerId: string): string[] {
    return [...this.#execs.values()]
      .filter((exec) => exec.containerId === containerId && exec.state !== 'exited')
      .map(({ id }) => id)
  }

  /** Resolves once the process runs, or has failed to. */
  async started(id: string): Promise<void> {
    await this.#resolve(id).spawned
  }

  /** Resolves to the exit code once the exec has ended. */
  async exitCode(id: string): Promise<number> {
    const exec = this.#resolve(id)
    await exec.spawned
    return (await exec.ended) ?? exec.exitCode ?? UNKNOWN_EXIT
  }

  async kill(id: string, signal: number): Promise<void> {
    const exec = this.#resolve(id)
    await exec.spawned
    await exec.task?.shim.kill(id, signal)
  }

  async signal(id: string, signal: number): Promise<void> {
    const exec = this.#resolve(id)
    await exec.spawned
    const sent = exec.state === 'running' && (await exec.task?.shim.kill(id, signal)) === true
    if (!sent) {
      throw new EngineError('conflict', `exec ${id} is not running`, {
        code: 'EXEC_NOT_RUNNING',
        details: { id },
      })
    }
  }

  /** The container is gone. */
  forget(containerId: string): void {
    for (const exec of this.#execs.values()) {
      if (exec.containerId === containerId) this.#execs.delete(exec.id)
    }
  }

  /** `raw`: the client wants bytes without frames, whatever the process has. */
  #stream(exec: Exec, raw: boolean): AttachStream {
    const { body } = exec
    const output = outputFor(body.Tty === true, raw)
    if (body.Tty !== true || body.AttachStdin !== true) return new AttachStream({ output })
    return new AttachStream({
      output,
      filter: detachFilter(parseDetachKeys(body.DetachKeys ?? undefined)),
      onDetach: () => this.#publish(exec, 'exec_detach'),
    })
  }

  /** A supervisor that has seen the container end, or a runtime that gives no reason: the end is told a moment later. */
  async #end(task: Task, error: unknown): Promise<void> {
    const message = messageOf(error)
    const unsaid =
      isKind(error, 'unavailable') || message === SEEN_ENDING || /failed with status \d+$/.test(message)
    if (!unsaid) return
    await settlesWithin(this.#deps.clock, END_PATIENCE, task.exited)
  }

  #failed(exec: Exec, task: Task, error: unknown): EngineError {
    exec.state = 'exited'
    if (error instanceof EngineError && error.kind === 'invalid_argument') {
      exec.exitCode = CANNOT_START
      return error
    }
    const { registry, supervisor } = this.#deps
    // It may run again by now, but not as what it was.
    if (supervisor.running(exec.containerId) !== task || messageOf(error) === SEEN_ENDING) {
      exec.exitCode = CANNOT_START
      return notRunning(exec.containerId)
    }
    // The runtime knows it first: the state follows when pausing is done.
    const paused = registry.get(exec.containerId)?.state.status === 'paused'
    if (paused || messageOf(error).endsWith('is paused')) {
      exec.exitCode = CANNOT_START
      return isPaused(exec.containerId)
    }
    const { message, exitCode } = startError(exec.body.Cmd?.[0] ?? '', messageOf(error))
    exec.exitCode = exitCode === 128 ? CANNOT_START : exitCode
    return new EngineError(
      // What the client asked for cannot be run, or the engine has failed.
      exitCode === 128 ? 'internal' : 'invalid_argument',
      `OCI runtime exec failed: exec failed: unable to start container process: ${message}`,
      {
        code: START_FAILED,
        cause: error,
      },
    )
  }

  async #ended(exec: Exec): Promise<void> {
    const code = await exec.ended
    if (code === undefined) return
    exec.state = 'exited'
    exec.exitCode = code
    this.#publish(exec, 'exec_die', { exitCode: String(code) })
  }

  #publish(exec: Exec, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    const container = this.#deps.registry.get(exec.containerId)
    if (container !== undefined)
      this.#deps.events.publish(container, action, { execID: exec.id, ...attributes })
  }

  #resolve(id: string): Exec {
    const exec = this.#execs.get(id)
    if (exec !== undefined) return exec
    throw noSuchExec(id)
  }

  /** `ref`: what the client called the container. */
  #task({ id, state }: Container, ref = id): Task {
    if (state.status === 'paused') throw isPaused(ref)
    if (state.status === 'restarting') {
      throw wrongState(id, `Container ${id} is restarting, wait until the container is running`)
    }
    const task = this.#deps.supervisor.running(id)
    if (task === undefined || state.status !== 'running') throw notRunning(id)
    return task
  }

  /** The oldest go first; those that run are kept. */
  #trim(): void {
    for (const exec of this.#execs.values()) {
      if (this.#execs.size <= KEPT) return
      if (exec.state !== 'running') this.#execs.delete(exec.id)
    }
  }
}

function noSuchExec(id: string): EngineError {
  return new EngineError('not_found', `No such exec instance: ${id}`, {
    code: 'EXEC_NOT_FOUND',
    details: { id },
  })
}

/** As events show it: Docker puts a blank after the program even when there are no arguments. */
function commandLine({ Cmd }: ExecCreateBody): string {
  const [program = '', ...args] = Cmd ?? []
  return `${program} ${args.join(' ')}`
}

/**
 * The answer to a second start: an error to who detaches; to others a stream that says it, as Docker has it. The real
 * Compose starts what it has attached to before, and counts on that.
 */
function begunAlready(
  { id, state }: Exec,
  { detach, tty }: { readonly detach: boolean; readonly tty: boolean },
): AttachedStream {
  const error = new EngineError(
    'conflict',
    `exec command ${id} ${state === 'running' ? 'is already running' : 'has already run'}`,
    { code: 'EXEC_ALREADY_RUN' },
  )
  if (detach) throw error
  const stream = new AttachStream()
  stream.abandon(lastWords(error, tty))
  return { tty, stream }
}

/** Docker goes by what the start says: frames around the bytes of a terminal, or output out of its frames. */
function outputFor(terminal: boolean, raw: boolean): ((chunk: Uint8Array) => Uint8Array) | undefined {
  if (terminal === raw) return undefined
  if (terminal) return (chunk) => frame(streamType.stdout, chunk)
  const frames = new FrameReader()
  return (chunk) => Buffer.concat(frames.push(chunk).map(({ payload }) => payload))
}

/** What a stream ends with when there is no process to write to it. */
function lastWords(failure: unknown, tty: boolean): Buffer {
  const text = Buffer.from(`${messageOf(failure)}\r\n`)
  return tty ? text : frame(streamType.stdout, text)
}

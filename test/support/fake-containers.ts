import type { EventMessage } from '#api/generated/types.ts'
import { frame, streamType } from '#api/stdcopy.ts'
import { EngineError } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import type { Engine, PathStat } from '#engine/services.ts'
import { chunks } from './chunks.ts'
import { FakeContainer, FakeStream } from './fake-container.ts'
import { inspectOf, summaryOf } from './fake-documents.ts'

interface FakeExec {
  readonly container: FakeContainer
  readonly cmd: readonly string[]
  started: boolean
}

/** The container services of the fake engine. */
export class FakeContainers {
  readonly #all: FakeContainer[] = []
  readonly #execs = new Map<string, FakeExec>()
  readonly #publish: (event: EventMessage) => void

  constructor(publish: (event: EventMessage) => void) {
    this.#publish = publish
  }

  find(ref: string): FakeContainer {
    const name = ref.replace(/^\//, '')
    const found = this.#all.find(
      (container) => container.name === name || (name.length >= 4 && container.id.startsWith(name)),
    )
    if (found !== undefined) return found
    throw new EngineError('not_found', `No such container: ${ref}`, { code: 'CONTAINER_NOT_FOUND' })
  }

  #emit(container: FakeContainer, action: string): void {
    const Attributes = { image: container.body.Image ?? '', name: container.name }
    this.#publish({
      Type: 'container',
      Action: action,
      Actor: { ID: container.id, Attributes },
      scope: 'local',
      time: 1_767_323_045,
      timeNano: 1_767_323_045_123_456_789n as unknown as number,
    })
  }

  #remove(container: FakeContainer): void {
    this.#all.splice(this.#all.indexOf(container), 1)
    this.#emit(container, 'destroy')
  }

  readonly lifecycle: Engine['lifecycle'] = {
    create: async (body, { name }) => {
      if (body.Image !== 'demo') {
        throw new EngineError('not_found', `No such image: ${body.Image ?? ''}`, { code: 'IMAGE_NOT_FOUND' })
      }
      const container = new FakeContainer(name ?? `fake_${this.#all.length}`, body, (ended) => {
        this.#emit(ended, 'die')
        if (ended.body.HostConfig?.AutoRemove === true) this.#remove(ended)
      })
      this.#all.push(container)
      this.#emit(container, 'create')
      return { Id: container.id, Warnings: [] }
    },
    start: async (ref) => {
      const container = this.find(ref)
      if (container.status === 'running') return false
      this.#emit(container, 'start')
      container.start()
      return true
    },
    stop: async (ref) => {
      const container = this.find(ref)
      if (container.status !== 'running') return false
      container.exit(143)
      return true
    },
    restart: async (ref) => this.find(ref).start(),
    kill: async (ref, signal) => {
      const container = this.find(ref)
      container.mustRun()
      container.exit(signal === 'SIGTERM' || signal === '15' ? 143 : 137)
    },
    pause: async (ref) => {
      this.find(ref).status = 'paused'
    },
    unpause: async (ref) => {
      this.find(ref).status = 'running'
    },
    rename: async (ref, name) => {
      this.find(ref).name = name
    },
    update: async (ref) => (this.find(ref), { Warnings: [] }),
    remove: async (ref) => this.#remove(this.find(ref)),
    prune: () => Promise.resolve({ ContainersDeleted: [], SpaceReclaimed: 0 }),
    planPrune: () => Promise.resolve([]),
    wait: (ref, condition) => {
      const container = this.find(ref)
      const over = container.status === 'exited' && (condition ?? 'not-running') === 'not-running'
      const result = async (): Promise<{ StatusCode: number }> => {
        if (!over) await container.exited()
        return { StatusCode: container.exitCode }
      }
      return { result: result() }
    },
  }

  readonly query: Engine['query'] = {
    list: ({ all }) =>
      Promise.resolve(this.#all.filter(({ status }) => all || status === 'running').map(summaryOf)),
    inspect: async (ref) => inspectOf(this.find(ref)),
    top: async (ref) => {
      this.find(ref).mustRun()
      return { Titles: ['PID', 'CMD'], Processes: [['1', 'sleep']] }
    },
    changes: async (ref) => (this.find(ref), [{ Path: '/tmp/a', Kind: 1 as const }]),
    async *stats(ref, { stream, signal }) {
      do {
        yield { id: ref, name: ref, cpu_stats: { cpu_usage: { total_usage: 9_007_199_254_740_993n } } }
        if (stream) await aborted(signal)
      } while (stream && signal?.aborted !== true)
    },
  }

  readonly streams: Engine['streams'] = {
    logs: async (ref, options) => {
      const container = this.find(ref)
      return { tty: container.tty, stream: logsOf(container, options.follow, options.signal) }
    },
    attach: async (ref, options) => this.find(ref).attach(options),
    resize: async (ref) => this.find(ref).mustRun(),
  }

  readonly files: Engine['files'] = {
    stat: async (ref, path) => (this.find(ref), statOf(path)),
    get: async (ref, path) => (this.find(ref), { stat: statOf(path), tar: chunks(['tar ', 'bytes']) }),
    put: async (ref, _path, tar) => {
      this.find(ref)
      for await (const _chunk of tar) continue
    },
    export: async (ref) => (this.find(ref), chunks(['rootfs'])),
    commit: async ({ container }) => (this.find(container), { Id: `sha256:${'ab'.repeat(32)}` }),
  }

  readonly execs: Engine['execs'] = {
    signal: async (id) => void this.#exec(id),
    create: async (ref, body) => {
      const container = this.find(ref)
      container.mustRun()
      const Id = newId()
      this.#execs.set(Id, { container, cmd: body.Cmd ?? [], started: false })
      return { Id }
    },
    start: async (id, { detach, tty }) => {
      const exec = this.#exec(id)
      exec.container.mustRun()
      exec.started = true
      if (detach) return undefined
      const stream = new FakeStream(tty, {
        write: (text) => stream.print(streamType.stdout, text),
        end: () => stream.push(null),
      })
      if (exec.cmd[0] === 'echo') {
        stream.print(streamType.stdout, `${exec.cmd.slice(1).join(' ')}\n`)
        stream.push(null)
      }
      return { tty, stream }
    },
    inspect: (id) => {
      const { container, started } = this.#exec(id)
      return {
        ID: id,
        Running: false,
        ExitCode: started ? 0 : null,
        ContainerID: container.id,
        ProcessConfig: { entrypoint: 'sh', arguments: [], tty: false, privileged: false },
        OpenStdin: false,
        OpenStdout: true,
        OpenStderr: true,
        CanRemove: false,
        DetachKeys: '',
        Pid: 0,
      }
    },
    resize: async (id) => void this.#exec(id),
  }

  #exec(id: string): FakeExec {
    const exec = this.#execs.get(id)
    if (exec !== undefined) return exec
    throw new EngineError('not_found', `No such exec instance: ${id}`, { code: 'EXEC_NOT_FOUND' })
  }
}

function statOf(path: string): PathStat {
  if (path === '/missing') {
    throw new EngineError('not_found', `Could not find the file ${path} in container x`, {
      code: 'PATH_NOT_FOUND',
    })
  }
  return { name: 'hosts', size: 5, mode: 0x8000_01ed, mtime: '2026-01-02T03:04:05Z', linkTarget: '' }
}

async function* logsOf(
  container: FakeContainer,
  follow: boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (const { type, text } of container.output) {
    const payload = Buffer.from(text)
    yield container.tty ? payload : frame(type, payload)
    if (text === 'broken\n')
      throw new EngineError('data_loss', 'log file is damaged', { code: 'LOG_DAMAGED' })
  }
  if (!follow || container.status !== 'running') return
  await Promise.race([container.exited(), aborted(signal)])
}

async function aborted(signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  signal?.addEventListener('abort', () => resolve())
  await promise
}

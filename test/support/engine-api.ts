/** What integration tests say to a daemon, in one line each. Every answer is checked; waiting is by the API, never by time. */
import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import type { ContainerInspectResponse, EventMessage } from '#api/generated/types.ts'
import { demultiplex } from '#client/stdcopy.ts'
import type { TarSource } from '#oci/tar/write-tar.ts'
import { busyboxTar } from './busybox-image.ts'
import { type Answer, TestDaemon, type TestDaemonOptions } from './daemon.ts'

export interface Output {
  readonly out: string
  readonly err: string
}

export interface Ran extends Output {
  readonly id: string
  readonly code: number
}

/** A create body; `Cmd` may be a line for the shell. */
export type Wanted = Readonly<Record<string, unknown>> & { readonly Cmd?: string | readonly string[] }

export type Inspected = ContainerInspectResponse & { readonly Id: string } & {
  readonly State: Readonly<Record<string, unknown>> & {
    readonly Status: string
    readonly Pid: number
    readonly ExitCode: number
    readonly StartedAt: string
    readonly FinishedAt: string
    readonly Error: string
  }
}

/** How long something that is to happen may take, in milliseconds. */
const PATIENCE = 20_000

export class EngineApi implements AsyncDisposable {
  readonly daemon: TestDaemon

  constructor(daemon: TestDaemon) {
    this.daemon = daemon
  }

  /** A daemon of its own with an image `busybox`, which has `more` files. */
  static async start(options: TestDaemonOptions = {}, ...more: readonly TarSource[]): Promise<EngineApi> {
    await using starting = new AsyncDisposableStack()
    const api = new EngineApi(starting.use(await TestDaemon.start(options)))
    await api.import('busybox', await busyboxTar(...more))
    starting.move()
    return api
  }

  /** Fails unless the status is one of `statuses`. */
  async call(method: string, path: string, body?: unknown, ...statuses: readonly number[]): Promise<Answer> {
    const answer = await this.daemon.call(method, path, body)
    const fine = statuses.length === 0 ? answer.status < 300 : statuses.includes(answer.status)
    assert.ok(fine, `${method} ${path}: ${answer.status} ${answer.text.trim()}`)
    return answer
  }

  /** The message of an error that must be `status`. */
  async refused(status: number, method: string, path: string, body?: unknown): Promise<string> {
    const answer = await this.daemon.call(method, path, body)
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text.trim()}`)
    return answer.json<{ message: string }>().message
  }

  async import(repo: string, tar: Uint8Array): Promise<void> {
    const answer = await this.call('POST', `/images/create?fromSrc=-&repo=${repo}`, tar)
    assert.ok(!answer.text.includes('"error"'), answer.text)
  }

  async create(wanted: Wanted, name = ''): Promise<string> {
    const { Cmd } = wanted
    const body = {
      Image: 'busybox',
      ...wanted,
      ...(typeof Cmd === 'string' ? { Cmd: ['sh', '-c', Cmd] } : {}),
    }
    const answer = await this.call('POST', `/containers/create?name=${name}`, body, 201)
    return answer.json<{ Id: string }>().Id
  }

  async started(wanted: Wanted, name = ''): Promise<string> {
    const id = await this.create(wanted, name)
    await this.call('POST', `/containers/${id}/start`, undefined, 204)
    return id
  }

  /** Waits until the command says `ready`: as process 1 it hears no signal before it has its handlers. */
  async ready(id: string): Promise<void> {
    await this.until('the first line', async () => (await this.logs(id)).out.includes('ready'))
  }

  /** Runs to the end; the container stays. */
  async run(wanted: Wanted, name = ''): Promise<Ran> {
    const id = await this.started(wanted, name)
    const code = await this.wait(id)
    return { id, code, ...(await this.logs(id)) }
  }

  /** Runs to the end and removes the container: exit code and output. */
  async once(wanted: Wanted): Promise<Ran> {
    const ran = await this.run(wanted)
    await this.call('DELETE', `/containers/${ran.id}?v=1`, undefined, 204)
    return ran
  }

  async wait(id: string, condition = 'not-running'): Promise<number> {
    const answer = await this.call('POST', `/containers/${id}/wait?condition=${condition}`, undefined, 200)
    return answer.json<{ StatusCode: number }>().StatusCode
  }

  async inspect(id: string): Promise<Inspected> {
    return (await this.call('GET', `/containers/${id}/json`)).json<Inspected>()
  }

  async logs(id: string, query = ''): Promise<Output> {
    return separated((await this.call('GET', `/containers/${id}/logs?stdout=1&stderr=1${query}`)).bytes)
  }

  async remove(id: string): Promise<void> {
    await this.call('DELETE', `/containers/${id}?force=1&v=1`, undefined, 204)
  }

  /** Polls `look` until it gives something; for what no event tells. */
  async until<T>(what: string, look: () => Promise<T | undefined | false>, patience = PATIENCE): Promise<T> {
    const deadline = Date.now() + patience
    for (;;) {
      const seen = await look()
      if (seen !== undefined && seen !== false) return seen
      if (Date.now() > deadline) assert.fail(`waited ${patience} ms for ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]()
  }
}

/** Runs a command in a running container. */
export async function exec(
  { daemon }: EngineApi,
  id: string,
  command: string | readonly string[],
  more: object = {},
): Promise<Output & { readonly code: number }> {
  const Cmd = typeof command === 'string' ? ['sh', '-c', command] : command
  const body = { Cmd, AttachStdout: true, AttachStderr: true, ...more }
  const created = await daemon.call('POST', `/containers/${id}/exec`, body)
  assert.equal(created.status, 201, created.text)
  const { Id } = created.json<{ Id: string }>()
  const ran = await daemon.call('POST', `/exec/${Id}/start`, { Detach: false, Tty: false })
  assert.equal(ran.status, 200, ran.text)
  const { ExitCode } = (await daemon.call('GET', `/exec/${Id}/json`)).json<{ ExitCode: number }>()
  return { code: ExitCode, ...(await separated(ran.bytes)) }
}

/** Everything that happened to `id` so far, oldest first. */
export async function history({ daemon }: EngineApi, filters: object = {}): Promise<EventMessage[]> {
  const until = (Date.now() / 1000 + 0.001).toFixed(3)
  const query = `since=1&until=${until}&filters=${encodeURIComponent(JSON.stringify(filters))}`
  const { text } = await daemon.call('GET', `/events?${query}`)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EventMessage)
}

/** The actions of a container's history, without the command lines of execs. */
export async function actions(api: EngineApi, id: string): Promise<string[]> {
  const events = await history(api, { container: [id], type: ['container'] })
  return events.map(({ Action }) => (Action ?? '').replace(/^(exec_\w+): .*/, '$1'))
}

/** Reads the journal from the beginning, and on, until an event of `id` has this action. */
export async function happened(
  { daemon }: EngineApi,
  id: string,
  action: string,
  patience = PATIENCE,
): Promise<EventMessage> {
  const filters = encodeURIComponent(JSON.stringify({ container: [id] }))
  const response = await daemon.open('GET', `/events?since=1&filters=${filters}`)
  const timer = setTimeout(
    () => response.destroy(new Error(`waited ${patience} ms for ${action} of ${id}`)),
    patience,
  )
  try {
    for await (const line of createInterface({ input: response })) {
      const event = JSON.parse(line) as EventMessage
      if (event.Action === action) return event
    }
  } finally {
    clearTimeout(timer)
    response.destroy()
  }
  return assert.fail(`the events ended before ${action} of ${id}`)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** Both streams of a container without a terminal. */
export async function separated(bytes: Uint8Array): Promise<Output> {
  const texts = { stdout: '', stderr: '' }
  for await (const { stream, data } of demultiplex(once(bytes))) texts[stream] += Buffer.from(data).toString()
  return { out: texts.stdout, err: texts.stderr }
}

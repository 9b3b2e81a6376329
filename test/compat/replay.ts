/** Plays one scenario against one engine. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Opened, type Outgoing, exchange, open, readBody } from './connection.ts'
import { mask } from './mask.ts'
import { type Observation, bodyOf, framesOf, headersOf, recordsOf } from './observation.ts'
import type { Call, Read, Scenario, Step } from './scenario.ts'

export interface Player {
  readonly socket: string
  readonly own: readonly (readonly [text: string, mask: string])[]
}

const PATIENCE_MS = 20_000

export async function replay(player: Player, scenario: Scenario): Promise<Observation[]> {
  // What was cleared before belongs to an earlier millisecond.
  await delay(5)
  using playing = new Playing(player, scenario.version)
  const seen: Observation[] = []
  for (const step of scenario.steps) {
    const document = await playing.play(step)
    if (document !== undefined) {
      const inOrder = mask(document, { variables: playing.kept, own: player.own })
      const masked = 'unordered' in step ? sorted(inOrder) : inOrder
      seen.push({ step: titleOf(step), document: masked, ...unexpected(step, document) })
    }
  }
  return seen
}

/** The list that is the body, in the order of what its items say. */
function sorted(document: unknown): unknown {
  const { body, ...head } = document as { readonly body?: unknown }
  if (!Array.isArray(body)) return document
  const keyed = body.map((item: unknown) => [JSON.stringify(orderOf(item)), item] as const)
  return { ...head, body: keyed.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item) }
}

/** What tells an item from others whatever the engine adds to it. */
function orderOf(item: unknown): unknown {
  const { Type, Action, Name, Names, RepoTags, Actor } = item as Readonly<Record<string, unknown>>
  return [Type, Action, Name, Names, RepoTags, Actor, item]
}

function unexpected(step: Step, document: unknown): { unexpected?: string } {
  if (!('call' in step) || step.expect === undefined || at(document, 'status') === step.expect) return {}
  return { unexpected: `${step.call}: not ${step.expect} but ${JSON.stringify(document)}` }
}

export function titleOf(step: Step): string {
  if ('call' in step) return decoded(step.call)
  if ('read' in step) return `read ${step.read}`
  return 'raw' in step ? `raw ${JSON.stringify(step.raw.slice(0, 40))}` : `send ${step.send}`
}

function decoded(line: string): string {
  try {
    return decodeURIComponent(line)
  } catch {
    return line
  }
}

class Playing implements Disposable {
  readonly kept = new Map<string, string>()
  readonly #player: Player
  readonly #version: string
  readonly #opened = new Map<string, Opened>()
  readonly #since = (Date.now() / 1000).toFixed(3)

  constructor(player: Player, version: string) {
    this.#player = player
    this.#version = version
  }

  /** What the step showed; undefined when it only sends. */
  async play(step: Step): Promise<unknown> {
    try {
      if ('raw' in step) return await this.#raw(step.raw)
      if ('read' in step) return await this.#read(step)
      if ('call' in step) return await this.#call(step)
    } catch (error) {
      return { failed: error instanceof Error ? error.message : String(error) }
    }
    const socket = this.#opened.get(step.send)?.socket
    if (step.data !== undefined) socket?.write(step.data)
    if (step.end === true) socket?.end()
    return undefined
  }

  [Symbol.dispose](): void {
    for (const each of this.#opened.values()) each[Symbol.dispose]()
  }

  async #call(step: Call): Promise<unknown> {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      const answer = await open(this.#player.socket, this.#outgoing(step))
      const head = { status: answer.status, headers: headersOf(answer.headers, answer.status) }
      if (step.open !== undefined) {
        this.#opened.set(step.open, answer)
        return head
      }
      const body = await bodyOf(await readBody(answer), String(answer.headers['content-type'] ?? ''))
      const { until } = step
      if (until === undefined || Date.now() > deadline || at(body, until[0]) === until[1]) {
        this.#keep(step, body)
        return without({ ...head, body }, step.besides ?? [])
      }
      await delay(50)
    }
  }

  #outgoing(step: Call): Outgoing {
    const [method = '', path = ''] = this.#filled(step.call, encodeURIComponent).split(/ (.*)/s)
    const { body, upgrade } = step
    const [payload, type] = this.#payload(body)
    const taken: Record<string, string> =
      upgrade === undefined ? {} : { Connection: 'Upgrade', Upgrade: upgrade }
    return {
      method,
      path: step.bare === true ? path : `/v${this.#version}${path}`,
      headers: { ...taken, ...(type === undefined ? {} : { 'content-type': type }), ...step.headers },
      payload,
    }
  }

  #payload(body: unknown): readonly [string | Uint8Array | undefined, string | undefined] {
    if (body === undefined) return [undefined, undefined]
    if (body instanceof Uint8Array) return [body, 'application/x-tar']
    if (typeof body === 'string') return [this.#filled(body), 'application/json']
    return [this.#filled(JSON.stringify(body)), 'application/json']
  }

  #filled(text: string, encoded: (value: string) => string = (value) => value): string {
    return text.replace(/\{(\w+)\}/g, (all, name: string) => {
      if (name === 'since') return this.#since
      // A little later: what has just happened belongs to it.
      if (name === 'now') return (Date.now() / 1000 + 0.02).toFixed(3)
      const value = this.kept.get(name)
      return value === undefined ? all : encoded(value)
    })
  }

  #keep({ as, keep = {} }: Call, body: unknown): void {
    const wanted = as === undefined ? keep : { ...keep, [as]: 'Id' }
    for (const [name, path] of Object.entries(wanted)) {
      const value = at(body, path)
      if (typeof value === 'string' || typeof value === 'number') this.kept.set(name, String(value))
    }
  }

  async #read({ read, records, text }: Read): Promise<unknown> {
    const answer = this.#opened.get(read)
    if (answer === undefined) return { failed: 'was not opened' }
    const enough = (seen: Buffer): boolean =>
      (records !== undefined && seen.toString().split('\n').length > records) ||
      (text !== undefined && seen.includes(text))
    const bytes = await readBody(answer, enough)
    const type = String(answer.headers['content-type'] ?? '')
    if (records !== undefined) return recordsOf(bytes.toString())
    return /raw-stream/.test(type) && bytes[1] === 0 ? framesOf(bytes) : bodyOf(bytes, type)
  }

  async #raw(bytes: string): Promise<unknown> {
    const answer = (await exchange(this.#player.socket, this.#filled(bytes))).toString()
    const [head = '', body = ''] = answer.split(/\r\n\r\n(.*)/s)
    const [line = '', ...fields] = head.split('\r\n')
    const headers = fields.map((field) => field.split(/: ?(.*)/s).slice(0, 2) as [string, string])
    const lower = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]))
    return { line, headers: headersOf(lower, 0), body: body.replace(/\r\n/g, '\n') }
  }
}

/** The member at `State.Status`, `[0].Id`, in a document or in the first of its records. */
function at(document: unknown, path: string): unknown {
  let found: unknown = document
  for (const name of path
    .replace(/\[(\d+)\]/g, '.$1')
    .split('.')
    .filter(Boolean)) {
    if (typeof found !== 'object' || found === null) return undefined
    found = (found as Readonly<Record<string, unknown>>)[name]
  }
  return found
}

/** The document, with `<any>` where a path with `*` leads. */
function without(document: unknown, paths: readonly string[], path = ''): unknown {
  if (path !== '' && paths.some((pattern) => globMatches(pattern, path))) return '<any>'
  if (Array.isArray(document)) return document.map((item, i) => without(item, paths, `${path}[${i}]`))
  if (typeof document !== 'object' || document === null) return document
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => [
      name,
      without(value, paths, path === '' ? name : `${path}.${name}`),
    ]),
  )
}

/** `*` stands for anything. */
export function globMatches(pattern: string, text: string): boolean {
  const source = pattern
    .split('*')
    .map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  return new RegExp(`^${source}$`, 's').test(text)
}

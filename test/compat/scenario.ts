/** A scenario: a few requests in a row, as data, that Docker and berth are asked alike. */

/** One request. `{name}` in its texts stands for what an earlier step kept under that name. */
export interface Call {
  /** Method and path: `POST /containers/{c}/start?detachKeys=`. The prefix of the API's version is put before the path. */
  readonly call: string
  /** JSON, unless it is bytes (an archive) or a text. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** What Docker answers, for steps that others build upon: anything else is a mistake in the scenario. */
  readonly expect?: number
  /** Keeps the member `Id` of the answer under this name. */
  readonly as?: string
  /** Keeps members of the answer, or of its first record: name of the variable → path (`State.Pid`). */
  readonly keep?: Readonly<Record<string, string>>
  /** Asks again until the member at this path is this. */
  readonly until?: readonly [path: string, value: unknown]
  /** The answer's head is compared now, its body when a later step reads it. */
  readonly open?: string
  /** With `open`: the connection is asked for, as clients that attach do. `tcp` or `h2c`. */
  readonly upgrade?: string
  /** The path goes out as it is, without a version. */
  readonly bare?: boolean
  /** The answer is a list in no order that means anything. */
  readonly unordered?: boolean
  /** Fields that only say how busy the machine was, by path with `*`: not compared. */
  readonly besides?: readonly string[]
}

/** Writes to a connection that was opened. */
export interface Send {
  readonly send: string
  readonly data?: string
  /** Closes the writing half. */
  readonly end?: boolean
}

/** Reads an opened answer to its end, or its first `records`, or until `text` was seen; what is not read is given up. */
export interface Read {
  readonly read: string
  readonly records?: number
  readonly text?: string
}

/** Bytes as they are, on a connection of their own; the answer is what comes until the other side closes. */
export interface Raw {
  readonly raw: string
}

export type Step = Call | Send | Read | Raw

export interface Scenario {
  readonly name: string
  readonly version: string
  readonly steps: readonly Step[]
}

/** What both can speak: the newest version of the peers' Docker. */
export const NEWEST = '1.51'

export function scenario(name: string, ...steps: readonly Step[]): Scenario {
  return { name, version: NEWEST, steps }
}

/** The same steps in several versions of the API, each a scenario. */
export function inVersions(versions: readonly string[], name: string, ...steps: readonly Step[]): Scenario[] {
  return versions.map((version) => ({ name: `${name} in ${version}`, version, steps }))
}

export function call(line: string, body?: unknown, more: Partial<Call> = {}): Call {
  return { call: line, ...(body === undefined ? {} : { body }), ...more }
}

/** A container `box` of busybox, kept as `{box}`, that is not started. */
export function created(body: object = {}, name = 'box'): Call {
  const wanted = { Image: 'busybox', Cmd: ['true'], ...body }
  return call(`POST /containers/create?name=${name}`, wanted, { as: name, expect: 201 })
}

/** Goes on until it hears SIGTERM, and then ends at once with 0. */
export const FOREVER = ['sh', '-c', 'trap "exit 0" TERM; echo ready; while :; do sleep 0.05; done']

/** A container `box` of busybox that runs and has its signal handler. */
export function running(body: object = {}, name = 'box'): Step[] {
  return [
    created({ Cmd: FOREVER, ...body }, name),
    call(`POST /containers/{${name}}/start`, undefined, { expect: 204 }),
    call(`GET /containers/{${name}}/logs?stdout=1&follow=1`, undefined, {
      open: `ready-${name}`,
      expect: 200,
    }),
    { read: `ready-${name}`, text: 'ready' },
  ]
}

export const inspect = (name = 'box'): Call => call(`GET /containers/{${name}}/json`)

/** Everything that happened in this scenario; what happens at once is written in the order of chance. */
export const events = (filters: object = {}): Call =>
  call(
    `GET /events?since={since}&until={now}&filters=${encodeURIComponent(JSON.stringify(filters))}`,
    undefined,
    {
      unordered: true,
    },
  )

/** Why a container is in its state: what it says itself, joined with the journals of events and of requests. */
import type { ContainerWhy } from '#api/container-why.ts'
import type { EventRow } from '#store/events.ts'
import type { RequestRow } from '#store/requests.ts'
import { callerText, during } from '../requests/callers.ts'
import { rfc3339Nano } from './config/status.ts'
import type { Container } from './container.ts'
import type { ContainerRegistry } from './registry.ts'
import { causeOf } from './why-cause.ts'

export interface WhyDeps {
  readonly registry: ContainerRegistry
  /** Newest first. */
  readonly events: { about(actorId: string, limit: number): readonly EventRow[] }
  readonly requests: { about(containerId: string, limit: number): readonly RequestRow[] }
  /** The last lines of its log; none when it keeps no log. */
  readonly lastLines: (container: Container, count: number) => Promise<readonly string[]>
}

const HISTORY = 12
/** Looked through for the one that matters. */
const DEPTH = 200
const LINES = 10
/** Events of every day, which tell nothing about a state. */
const NOISE = /^(?:exec_|resize|top|attach|archive-path|export|stats)/

export class Why {
  readonly #deps: WhyDeps

  constructor(deps: WhyDeps) {
    this.#deps = deps
  }

  async why(ref: string): Promise<ContainerWhy> {
    const { registry, events, requests, lastLines } = this.#deps
    const container = registry.resolve(ref)
    const happened = events.about(container.id, DEPTH)
    const asked = requests.about(container.id, DEPTH).filter(({ status }) => status < 400)
    const cause = causeOf(container, asked, happened)
    return {
      ID: container.id,
      Name: container.name,
      Image: container.image,
      Status: container.state.status,
      ...cause,
      History: happened
        .filter(({ action }) => !NOISE.test(action))
        .slice(0, HISTORY)
        .map((event) => historyOf(event, asked)),
      LastLines: await lastLines(container, LINES),
    }
  }
}

function historyOf(event: EventRow, asked: readonly RequestRow[]): ContainerWhy['History'][number] {
  const { time, action, attributes } = event
  const more = ['exitCode', 'signal'].flatMap((key) => {
    const value = attributes[key]
    return value === undefined ? [] : [`${key === 'signal' ? 'signal' : 'exit code'} ${value}`]
  })
  // `die` is what came of it, whoever asked.
  const operations = action === 'die' ? [] : (OPERATIONS[action] ?? [])
  const request = during(asked, operations, time)
  return {
    Time: rfc3339Nano(time),
    What: [action, ...more].join(', '),
    ...(request === undefined ? {} : { By: callerText(request.caller) }),
  }
}

/** Requests that lead to an event. */
const OPERATIONS: Readonly<Record<string, readonly string[]>> = {
  create: ['ContainerCreate'],
  start: ['ContainerStart', 'ContainerRestart'],
  restart: ['ContainerRestart'],
  stop: ['ContainerStop', 'ContainerRestart'],
  kill: ['ContainerStop', 'ContainerKill', 'ContainerRestart', 'ContainerDelete'],
  destroy: ['ContainerDelete', 'ContainerPrune'],
  pause: ['ContainerPause'],
  unpause: ['ContainerUnpause'],
  rename: ['ContainerRename'],
  update: ['ContainerUpdate'],
}

import type { ObservedContainer } from '#compose/state/observed.ts'
import { isUp, observedContainer } from '#compose/state/observed.ts'
import { ofProject } from '#compose/state/labels.ts'
import { planStop } from '#compose/plan/stop.ts'
import { observe } from '#compose/state/observe.ts'
import type { Project } from '#compose/model/project.ts'
import { carryOut } from './carry-out.ts'
import { findContainers, shortName } from './containers.ts'
import { printLogs } from './logs/follow-logs.ts'
import type { LogPrinter } from './logs/log-printer.ts'
import type { ComposeContext } from './subcommand.ts'

export interface ForegroundOptions {
  readonly printer: LogPrinter
  /** Services whose output is shown. */
  readonly shown: ReadonlySet<string>
  /** What ends everything: the end of any container, only a failed one, or (undefined) the end of all. */
  readonly abortOn?: 'exit' | 'failure' | undefined
  /** The service whose exit code is ours. */
  readonly exitCodeFrom?: string | undefined
  readonly timestamps: boolean
  readonly stopTimeout?: number | undefined
  /** Unix seconds from which on output is shown. */
  readonly since: string
}

/** Stays with the containers of a project that has come up: shows their output, until they end or Ctrl-C stops them. */
export class Foreground {
  readonly #project: Project
  readonly #options: ForegroundOptions
  readonly #context: ComposeContext
  /** Ended by Ctrl-C, or when it is over. */
  readonly #stop = new AbortController()
  readonly #running = new Map<string, ObservedContainer>()
  readonly #logs = new Map<string, Promise<void>>()
  #exitCode = 0
  #aborting = false

  constructor(project: Project, options: ForegroundOptions, context: ComposeContext) {
    this.#project = project
    this.#options = options
    this.#context = context
  }

  /** Returns the exit code. */
  async run(): Promise<number> {
    const { client, io } = this.#context
    using _signals = io.onSignal(['SIGINT', 'SIGTERM'], () => this.#interrupted())
    const filters = { type: ['container'], ...ofProject(this.#project.name) }
    const events = await client.system.openEvents({ filters, signal: this.#stop.signal })
    const own = (await findContainers([], this.#context)).containers.filter((each) => this.#isShown(each))
    for (const container of own) this.#attach(container)
    for (const container of own) if (!isUp(container)) await this.#endedBefore(container)
    await this.#watch(events)
    await Promise.all(this.#logs.values())
    if (this.#stop.signal.reason === 'interrupt') {
      await this.#stopAll()
      return 130
    }
    if (this.#aborting) await this.#stopAll()
    return this.#exitCode
  }

  #isShown({ service, oneoff }: ObservedContainer): boolean {
    return !oneoff && Object.hasOwn(this.#project.services, service)
  }

  #attach(container: ObservedContainer): void {
    const { client } = this.#context
    const { printer, shown, since, timestamps } = this.#options
    if (isUp(container)) this.#running.set(container.id, container)
    if (!shown.has(container.service) || this.#logs.has(container.id)) return
    const named = { id: container.id, name: shortName(container, this.#project.name) }
    const follow = isUp(container)
    const printed = printLogs(client, named, printer, {
      follow,
      since,
      timestamps,
      signal: this.#stop.signal,
    })
    this.#logs.set(
      container.id,
      printed.finally(() => this.#logs.delete(container.id)),
    )
  }

  async #watch(
    events: AsyncIterable<{
      readonly Action?: string | null | undefined
      readonly Actor?: { readonly ID?: string | null | undefined } | null | undefined
    }>,
  ): Promise<void> {
    if (this.#running.size === 0 || this.#aborting) return
    try {
      for await (const { Action, Actor } of events) {
        const id = Actor?.ID ?? ''
        if (Action === 'start') await this.#started(id)
        if (Action === 'die') await this.#ended(id)
        if (this.#running.size === 0 || this.#aborting) return
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error
    }
  }

  async #started(id: string): Promise<void> {
    const [summary] = await this.#context.client.containerQuery.list({ all: true, filters: { id: [id] } })
    if (summary === undefined) return
    const container = observedContainer(summary)
    if (this.#isShown(container)) this.#attach(container)
  }

  /** One that has ended since `up` began, before we looked. */
  async #endedBefore(container: ObservedContainer): Promise<void> {
    const { State } = await this.#context.client.containerQuery.inspect(container.id)
    if (Date.parse(State?.FinishedAt ?? '') < Number(this.#options.since) * 1000) return
    this.#running.set(container.id, container)
    await this.#ended(container.id)
  }

  async #ended(id: string): Promise<void> {
    const container = this.#running.get(id)
    if (container === undefined) return
    const { State } = await this.#context.client.containerQuery
      .inspect(id)
      .catch(() => ({ State: undefined }))
    if (State?.Running === true || State?.Restarting === true) return
    this.#running.delete(id)
    await this.#logs.get(id)
    const code = State?.ExitCode ?? 0
    const { printer, shown, abortOn, exitCodeFrom } = this.#options
    if (shown.has(container.service))
      printer.status(shortName(container, this.#project.name), `exited with code ${code}`)
    if (abortOn === undefined || (abortOn === 'failure' && code === 0) || this.#aborting) {
      if (exitCodeFrom === container.service) this.#exitCode = code
      return
    }
    if (exitCodeFrom === undefined || exitCodeFrom === container.service) this.#exitCode = code
    this.#aborting = true
    this.#stop.abort('abort')
  }

  #interrupted(): void {
    const { err, client } = this.#context
    if (!this.#stop.signal.aborted) {
      err('Gracefully Stopping... press Ctrl+C again to force\n')
      this.#stop.abort('interrupt')
      return
    }
    for (const { id, name } of this.#running.values()) {
      client.containers.kill(id).catch((error: unknown) => err(`cannot kill ${name}: ${String(error)}\n`))
    }
  }

  async #stopAll(): Promise<void> {
    const context = { ...this.#context, signal: new AbortController().signal }
    const observed = await observe(context.client, this.#project)
    const own = observed.containers.filter((container) => this.#isShown(container))
    await carryOut(planStop(own, 'it was interrupted'), this.#project, observed, this.#options, context)
    const { exitCodeFrom } = this.#options
    const asked = own.find(({ service }) => service === exitCodeFrom)
    if (asked === undefined) return
    const { State } = await context.client.containerQuery.inspect(asked.id)
    this.#exitCode = State?.ExitCode ?? 0
  }
}

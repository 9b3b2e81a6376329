import { abortable } from './mutex.ts'

export interface Passenger<C, M> {
  /** Whatever the work may need of one of those who wait for it. */
  readonly context: C
  readonly report: (message: M) => void
  readonly signal: AbortSignal
}

/** What the work sees of those who wait for it. */
export interface FlightControl<C, M> {
  readonly signal: AbortSignal
  report(message: M): void
  /** That of whoever has waited longest of those who still do. */
  context(): C
}

/** What those who come later are told of what has been. */
export interface FlightHistory<M> extends Iterable<M> {
  add(message: M): void
}

/** A message with a key replaces the one before it; all others stay. */
export function lastOfEach<M>(keyOf: (message: M) => string | undefined): FlightHistory<M> {
  const messages = new Map<string | symbol, M>()
  return {
    add: (message) => void messages.set(keyOf(message) ?? Symbol('once'), message),
    [Symbol.iterator]: () => messages.values(),
  }
}

interface Flight<C, M, T> {
  readonly passengers: Set<Passenger<C, M>>
  readonly history: FlightHistory<M>
  readonly abort: AbortController
  readonly landed: Promise<T>
}

/**
 * Work that several may ask for at once and that is done once: all are told of its progress (who comes later, of what
 * has been), and all get its result. Who leaves does not stop it for the others; when the last one has left it is
 * aborted, and that one waits until it has ended.
 */
export class Flights<C, M, T> {
  readonly #flights = new Map<string, Flight<C, M, T>>()
  readonly #historyOf: () => FlightHistory<M>

  constructor(historyOf: () => FlightHistory<M>) {
    this.#historyOf = historyOf
  }

  async join(
    key: string,
    passenger: Passenger<C, M>,
    work: (control: FlightControl<C, M>) => Promise<T>,
  ): Promise<T> {
    const flight = await this.#board(key, passenger, work)
    try {
      return await abortable(flight.landed, passenger.signal)
    } finally {
      flight.passengers.delete(passenger)
      if (flight.passengers.size === 0) {
        flight.abort.abort(passenger.signal.reason)
        await Promise.allSettled([flight.landed])
      }
    }
  }

  async #board(
    key: string,
    passenger: Passenger<C, M>,
    work: (control: FlightControl<C, M>) => Promise<T>,
  ): Promise<Flight<C, M, T>> {
    for (;;) {
      passenger.signal.throwIfAborted()
      const flight = this.#flights.get(key)
      if (flight === undefined) return this.#start(key, passenger, work)
      if (!flight.abort.signal.aborted) {
        for (const message of flight.history) passenger.report(message)
        flight.passengers.add(passenger)
        return flight
      }
      // Everybody had left it; it has to clear up before the work can begin again.
      await abortable(Promise.allSettled([flight.landed]), passenger.signal)
    }
  }

  #start(
    key: string,
    passenger: Passenger<C, M>,
    work: (control: FlightControl<C, M>) => Promise<T>,
  ): Flight<C, M, T> {
    const passengers = new Set([passenger])
    const history = this.#historyOf()
    const abort = new AbortController()
    const control: FlightControl<C, M> = {
      signal: abort.signal,
      report: (message) => {
        history.add(message)
        for (const { report } of passengers) report(message)
      },
      context: () => ([...passengers][0] ?? passenger).context,
    }
    const landed = work(control).finally(() => this.#flights.delete(key))
    const flight = { passengers, history, abort, landed }
    this.#flights.set(key, flight)
    return flight
  }
}

import type { Logger } from '#base/logger.ts'
import type { AnsweredRequest } from '../http/edge.ts'
import type { Counter, Histogram, Metrics } from './metrics.ts'

const SECONDS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60]

/** Counts requests and writes one line for each. */
export class RequestLog {
  readonly #logger: Logger
  readonly #requests: Counter
  readonly #received: Counter
  readonly #sent: Counter
  readonly #seconds: Histogram

  constructor(metrics: Metrics, logger: Logger) {
    this.#logger = logger
    this.#requests = metrics.counter('berth_registry_requests_total', 'Requests by route and status.')
    this.#received = metrics.counter('berth_registry_received_bytes_total', 'Bytes of request bodies.')
    this.#sent = metrics.counter('berth_registry_sent_bytes_total', 'Bytes of response bodies.')
    this.#seconds = metrics.histogram(
      'berth_registry_request_seconds',
      'Time until the last byte of the answer.',
      SECONDS,
    )
  }

  record(request: AnsweredRequest): void {
    const { route, method, status } = request
    this.#requests.add(1, { method, route, status })
    this.#received.add(request.received)
    this.#sent.add(request.sent)
    this.#seconds.observe(request.milliseconds / 1000, { method, route })
    this.#logger.info('request', { ...request, milliseconds: Math.round(request.milliseconds * 10) / 10 })
  }
}

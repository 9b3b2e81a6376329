/**
 * Numbers about this process in the text form that Prometheus reads.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export type Labels = Readonly<Record<string, string | number>>

interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly samples: () => Iterable<Sample>
}

interface Sample {
  readonly suffix?: string
  readonly labels: Labels
  readonly value: number
}

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** All metrics of one registry, in the order in which they were made. */
export class Metrics {
  readonly #metrics: Metric[] = []

  counter(name: string, help: string): Counter {
    const counter = new Counter()
    this.#metrics.push({ name, type: 'counter', help, samples: () => counter.samples() })
    return counter
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const histogram = new Histogram(bounds)
    this.#metrics.push({ name, type: 'histogram', help, samples: () => histogram.samples() })
    return histogram
  }

  /** `read` is asked at every scrape, so it must be quick. */
  gauge(name: string, help: string, read: () => Iterable<readonly [Labels, number]>): void {
    this.#metrics.push({ name, type: 'gauge', help, samples: () => gaugeSamples(read) })
  }

  render(): string {
    return this.#metrics.map(textOf).join('')
  }
}

/** Only grows; one number per combination of labels. */
export class Counter {
  readonly #values = new Map<string, { readonly labels: Labels; value: number }>()

  add(amount = 1, labels: Labels = {}): void {
    const key = labelText(labels)
    const entry = this.#values.get(key)
    if (entry === undefined) this.#values.set(key, { labels, value: amount })
    else entry.value += amount
  }

  samples(): Iterable<Sample> {
    return this.#values.size === 0 ? [{ labels: {}, value: 0 }] : this.#values.values()
  }
}

/** Counts of observations up to each bound, per combination of labels. */
export class Histogram {
  readonly #bounds: readonly number[]
  readonly #series = new Map<string, { readonly labels: Labels; readonly counts: number[]; sum: number }>()

  constructor(bounds: readonly number[]) {
    this.#bounds = [...bounds, Number.POSITIVE_INFINITY]
  }

  observe(value: number, labels: Labels = {}): void {
    const key = labelText(labels)
    let series = this.#series.get(key)
    if (series === undefined) {
      series = { labels, counts: this.#bounds.map(() => 0), sum: 0 }
      this.#series.set(key, series)
    }
    const bucket = this.#bounds.findIndex((bound) => value <= bound)
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
    series.sum += value
  }

  *samples(): Iterable<Sample> {
    for (const { labels, counts, sum } of this.#series.values()) {
      let below = 0
      for (const [index, bound] of this.#bounds.entries()) {
        below += counts[index] ?? 0
        const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : bound
        yield { suffix: '_bucket', labels: { ...labels, le }, value: below }
      }
      yield { suffix: '_sum', labels, value: sum }
      yield { suffix: '_count', labels, value: below }
    }
  }
}

function* gaugeSamples(read: () => Iterable<readonly [Labels, number]>): Iterable<Sample> {
  for (const [labels, value] of read()) yield { labels, value }
}

function textOf({ name, type, help, samples }: Metric): string {
  const lines = [...samples()].map(
    ({ suffix = '', labels, value }) => `${name}${suffix}${labelText(labels)} ${value}\n`,
  )
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

function escape(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => escapes[character] ?? character)
}

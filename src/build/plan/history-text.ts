/** What `created_by` of an image's history says, as BuildKit words it. */
import { formatGoDuration } from '#base/go-duration.ts'
import type { Healthcheck } from '#oci/image-spec.ts'
import type { Declaration, Pair } from '../dockerfile/instruction.ts'
import { goQuoteList, goQuoteNumber } from './go-text.ts'

/** Behind the entries of steps. */
const MARK = ' # buildkit'

/** `RUN |1 A=b /bin/sh -c make # buildkit` */
export function runText(args: readonly string[], buildArgs: Readonly<Record<string, string>>): string {
  const given = Object.entries(buildArgs).map(([name, value]) => `${name}=${value}`)
  const count = given.length === 0 ? [] : [`|${given.length}`]
  return `RUN ${[...count, ...given, ...args].join(' ')}${MARK}`
}

export interface TransferText {
  readonly kind: 'copy' | 'add'
  readonly chown: string | undefined
  readonly chmod: string | undefined
  readonly sources: readonly string[]
  /** Names of heredocs. */
  readonly documents: readonly string[]
  readonly destination: string
}

/** `COPY --chown=1:2 a b /c/ # buildkit`; other flags are not in it. */
export function transferText(transfer: TransferText): string {
  const { kind, chown, chmod, sources, documents, destination } = transfer
  const words = [
    kind.toUpperCase(),
    ...(chown === undefined ? [] : [`--chown=${chown}`]),
    ...(chmod === undefined ? [] : [`--chmod=${chmod}`]),
    ...sources,
    ...documents.map((name) => `<<${name}`),
    destination,
  ]
  return words.join(' ') + MARK
}

/** `ENV a=b c=d` */
export function pairsText(keyword: 'ENV' | 'LABEL', pairs: readonly Pair[]): string {
  return [keyword, ...pairs.map(({ key, value }) => `${key}=${value}`)].join(' ')
}

/** `ARG a=b c` */
export function argText(declarations: readonly Declaration[]): string {
  const texts = declarations.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`))
  return ['ARG', ...texts].join(' ')
}

/** `CMD ["a" "b"]` */
export function commandText(keyword: 'CMD' | 'ENTRYPOINT', args: readonly string[]): string {
  return `${keyword} ${goQuoteList(args)}`
}

/** `VOLUME [/a /b]` */
export function listText(keyword: 'EXPOSE' | 'SHELL' | 'VOLUME', items: readonly string[]): string {
  return `${keyword} [${items.join(' ')}]`
}

/** `HEALTHCHECK &{["CMD-SHELL" "true"] "30s" "0s" "0s" "0s" '\x03'}` */
export function healthText({
  Test: test,
  Interval: interval,
  Timeout: timeout,
  StartPeriod: startPeriod,
  StartInterval: startInterval,
  Retries: retries,
}: Healthcheck): string {
  const times = [interval, timeout, startPeriod, startInterval].map(
    (time) => `"${formatGoDuration(time ?? 0)}"`,
  )
  return `HEALTHCHECK &{${[goQuoteList(test ?? []), ...times, goQuoteNumber(retries ?? 0)].join(' ')}}`
}

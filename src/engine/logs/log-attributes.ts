/** What a record says of its container: labels, variables and a tag, as the log options select them. */
import { EngineError } from '#base/errors.ts'
import type { Digest } from '#base/digest.ts'

/** What log options speak of. */
export interface LoggedContainer {
  readonly id: string
  readonly name: string
  /** As the user named it. */
  readonly image: string
  readonly imageId: Digest | undefined
  readonly labels: Readonly<Record<string, string>>
  /** `NAME=value`. */
  readonly environment: readonly string[]
}

type Options = Readonly<Record<string, string>>

/** The members of `attrs` (json-file), of a journal entry, of what a plugin is told. */
export function logAttributes(container: LoggedContainer, options: Options): Record<string, string> {
  const { labels, environment } = container
  const variables = environment.flatMap((variable): [string, string][] => {
    const at = variable.indexOf('=')
    return at > 0 ? [[variable.slice(0, at), variable.slice(at + 1)]] : []
  })
  return {
    ...selected(Object.entries(labels), options['labels'], options['labels-regex']),
    ...selected(variables, options['env'], options['env-regex']),
  }
}

function selected(
  entries: readonly (readonly [string, string])[],
  names: string | undefined,
  pattern: string | undefined,
): Record<string, string> {
  const wanted = new Set((names ?? '').split(',').map((name) => name.trim()))
  const matches = pattern ? new RegExp(pattern) : undefined
  return Object.fromEntries(
    entries.filter(([key]) => key !== '' && (wanted.has(key) || matches?.test(key) === true)),
  )
}

const SHORT = 12

/** Fields of the template, as in Docker's documentation of log tags. */
const fields: Readonly<Record<string, (container: LoggedContainer) => string>> = {
  ID: ({ id }) => id.slice(0, SHORT),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageID: ({ imageId }) => (imageId ?? '').replace(/^sha256:/, '').slice(0, SHORT),
  ImageFullID: ({ imageId }) => imageId ?? '',
  ImageName: ({ image }) => image,
  DaemonName: () => 'docker',
}

/** `{{.Name}}/{{.ID}}` for that container. @throws EngineError invalid_argument for a field there is not */
export function logTag(container: LoggedContainer, template: string): string {
  return template.replaceAll(/\{\{-?\s*(.*?)\s*-?\}\}/g, (_, expression: string) => {
    const field = /^\.(\w+)$/.exec(expression)?.[1] ?? ''
    const value = Object.hasOwn(fields, field) ? fields[field] : undefined
    if (value === undefined) throw unknownField(template, expression)
    return value(container)
  })
}

function unknownField(template: string, expression: string): EngineError {
  const known = Object.keys(fields).map((field) => `.${field}`)
  return new EngineError(
    'invalid_argument',
    `log tag "${template}": there is no {{${expression}}}; a tag may have ${known.join(', ')}`,
    { code: 'LOG_OPTION_INVALID' },
  )
}

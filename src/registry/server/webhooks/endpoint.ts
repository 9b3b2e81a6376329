import type { RegistryEvent } from '../events.ts'
import { anyPattern, type Pattern } from '../settings/pattern.ts'
import { readList, type Section } from '../settings/section.ts'
import { invalidSetting } from '../settings/errors.ts'

const actions = ['push', 'pull', 'delete', 'mount'] as const

/** Somebody who is told what happens. */
export interface WebhookEndpoint {
  /** Unique; the delivery log goes by it. */
  readonly name: string
  readonly url: URL
  readonly events: readonly RegistryEvent['action'][]
  readonly repositories: Pattern
  /** Also told of blobs; of manifests and tags alone otherwise, of which one push has one. */
  readonly blobs: boolean
  /** Key of the signature; absent: notifications are not signed. */
  readonly secret: string | undefined
  /** Sent with every notification. */
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds for one attempt. */
  readonly timeout: number
  /** Attempts before a notification is given up. */
  readonly attempts: number
}

/**
 * The setting `webhooks`: `[{ url, name?, events?: ["push", "delete"], repositories?: ["team/**"], blobs?: false,
 * secret?, authorization?, timeout?: "5s", attempts?: 12 }]`.
 */
export function readWebhooks(value: unknown): readonly WebhookEndpoint[] {
  const endpoints = readList(value, 'webhooks', readEndpoint)
  const names = new Set(endpoints.map(({ name }) => name))
  if (names.size < endpoints.length) {
    throw invalidSetting('webhooks: two endpoints have the same name; give each one a "name"')
  }
  return endpoints
}

/** Whether the endpoint is told of the event. */
export function wants(
  { events, repositories, blobs }: WebhookEndpoint,
  { action, repository, mediaType }: RegistryEvent,
): boolean {
  return events.includes(action) && repositories(repository) && (blobs || mediaType !== BLOB)
}

/** What blobs are said to be: nobody knows better. */
const BLOB = 'application/octet-stream'

function readEndpoint(section: Section): WebhookEndpoint {
  const url = section.url('url')
  const events = section.texts('events') ?? ['push', 'delete', 'mount']
  const authorization = section.text('authorization')
  return {
    // Not with the path, which often is a secret: names are labels of metrics.
    name: section.text('name') ?? url.host,
    url,
    events: events.map(actionOf),
    repositories: anyPattern(section.texts('repositories') ?? [], true),
    blobs: section.flag('blobs') ?? false,
    secret: section.text('secret'),
    headers: authorization === undefined ? {} : { Authorization: authorization },
    timeout: section.duration('timeout') ?? 5000,
    attempts: Math.max(1, section.count('attempts') ?? 12),
  }
}

function actionOf(text: string): RegistryEvent['action'] {
  const action = actions.find((known) => known === text)
  if (action === undefined) throw invalidSetting(`webhooks: no event is called ${JSON.stringify(text)}`)
  return action
}

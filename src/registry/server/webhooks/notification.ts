import { createHmac } from 'node:crypto'
import type { RegistryEvent } from '../events.ts'

/** What receivers of Docker's registry notifications expect. */
export const NOTIFICATION_TYPE = 'application/vnd.docker.distribution.events.v2+json'

/** Name of the header with the HMAC-SHA256 of the body: `sha256=<hex>`, as most receivers know it. */
export const SIGNATURE_HEADER = 'X-Hub-Signature-256'

/** Where the registry is, for the `url` and `source` of a notification. */
export interface NotificationSource {
  /** Address under which clients reach it: `https://registry.example`. */
  readonly baseUrl: string
  /** `HOST:PORT` */
  readonly address: string
  readonly instanceId: string
}

/** One entry of the envelope's `events`. */
export function notificationOf(event: RegistryEvent, source: NotificationSource): object {
  const { digest, mediaType, repository, size, tag } = event
  return {
    id: event.id,
    timestamp: new Date(event.at).toISOString(),
    action: event.action,
    target: {
      mediaType,
      size,
      digest,
      length: size,
      repository,
      url: `${source.baseUrl}/v2/${repository}/manifests/${digest}`,
      ...(tag === undefined ? {} : { tag }),
    },
    request: {
      id: event.id,
      addr: event.remoteAddress,
      host: URL.parse(source.baseUrl)?.host ?? '',
      method: methods[event.action],
      useragent: event.userAgent,
    },
    actor: event.actor === 'anonymous' ? {} : { name: event.actor },
    source: { addr: source.address, instanceID: source.instanceId },
  }
}

const methods = { push: 'PUT', pull: 'GET', delete: 'DELETE', mount: 'POST' } as const

/** The body of a notification: `{"events":[…]}`. `event` is JSON already. */
export function envelope(event: string): string {
  return `{"events":[${event}]}`
}

export function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
}

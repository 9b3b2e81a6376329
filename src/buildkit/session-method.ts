import { type Duplex, duplexPair } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EngineError } from '#base/errors.ts'
import type { Methods } from './grpc/server.ts'
import { BytesMessage } from './messages/control.ts'
import type { SessionFacts } from './session/client-session.ts'

/** What a client says beside its session: headers of HTTP, or metadata of a call. */
export function sessionFacts(said: (name: string) => readonly string[]): SessionFacts {
  const [id = ''] = said('x-docker-expose-session-uuid')
  if (id === '') {
    throw new EngineError('invalid_argument', 'the session has no id (X-Docker-Expose-Session-Uuid)', {
      code: 'PARAMETER_INVALID',
    })
  }
  const [sharedKey = ''] = said('x-docker-expose-session-sharedkey')
  // Several headers of one name are one with commas.
  const methods = said('x-docker-expose-session-grpc-method').flatMap((text) =>
    text.toLowerCase().split(/,\s*/),
  )
  return { id, sharedKey, methods: new Set(methods) }
}

/** `Control.Session`: a session within a call, for clients that have no second connection. */
export function sessionMethod(
  hold: (facts: SessionFacts, connection: Duplex, signal: AbortSignal) => Promise<void>,
): Methods {
  return {
    async *'/moby.buildkit.v1.Control/Session'(requests, { metadata, signal }) {
      const facts = sessionFacts((name) => metadata.get(name) ?? [])
      const [near, far] = duplexPair()
      const held = hold(facts, far, signal).finally(() => near.destroy())
      // A client that leaves closes the connection; the session is told by that.
      pipeline(contents(requests), near).catch(() => near.destroy())
      for await (const data of near) yield BytesMessage.encode({ data: data as Uint8Array })
      await held
    },
  }
}

async function* contents(requests: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const request of requests) yield BytesMessage.decode(request).data
}

import { EngineError } from '#base/errors.ts'
import type { BuildKit } from '#buildkit/buildkit.ts'
import { sessionFacts } from '#buildkit/session-method.ts'
import { implicitUpgrade } from '../front.ts'
import type { ProtocolReply } from '../reply.ts'
import { route, type Route, type RouteRequest } from '../route.ts'

/** The two connections of BuildKit's clients. */
export function buildkitRoutes(buildkit: BuildKit): readonly Route[] {
  return [
    route({
      operation: 'Session',
      method: 'POST',
      path: '/session',
      takesOver: true,
      endless: true,
      handle({ headers }) {
        const upgraded = http2(headers, (connection, signal) => buildkit.hold(facts, connection, signal))
        const facts = sessionFacts((name) => [headers[name]?.toString() ?? ''])
        return upgraded
      },
    }),
    route({
      operation: 'Grpc',
      method: 'POST',
      path: '/grpc',
      takesOver: true,
      endless: true,
      handle: ({ headers }) => http2(headers, (connection, signal) => buildkit.serve(connection, signal)),
    }),
  ]
}

const PROTOCOL = 'h2c'

function http2(headers: RouteRequest['headers'], serve: ProtocolReply['serve']): ProtocolReply {
  const asked = headers.upgrade === implicitUpgrade ? undefined : headers.upgrade?.toLowerCase()
  if (asked === PROTOCOL) return { kind: 'protocol', protocol: PROTOCOL, serve }
  const problem = asked === undefined ? `no upgrade to ${PROTOCOL}` : `protocol ${asked} is not supported`
  throw new EngineError('invalid_argument', `${problem}: the request needs "Upgrade: ${PROTOCOL}"`, {
    code: 'UPGRADE_NEEDED',
  })
}

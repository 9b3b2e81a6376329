/**
 * The engine that foreign clients talk to: a private berth daemon with an image `busybox`; or, to see what Docker itself
 * answers, the one behind CONFORMANCE_SOCKET, which has to have that image.
 */
import { EngineApi } from '#test/support/engine-api.ts'

export interface EngineUnderTest extends AsyncDisposable {
  readonly socket: string
}

export async function startEngine(): Promise<EngineUnderTest> {
  const foreign = process.env['CONFORMANCE_SOCKET']
  if (foreign !== undefined) {
    return { socket: foreign, [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  const api = await EngineApi.start()
  return { socket: api.daemon.socket, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() }
}

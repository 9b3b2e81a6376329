/**
 * The engine that foreign clients talk to: a private berth daemon, or, to see what Docker itself does, the one behind
 * CONFORMANCE_SOCKET. Both have an image `busybox`; what a test leaves behind is removed at the end.
 */
import { EngineApi } from '#test/support/engine-api.ts'
import { busyboxTar } from '#test/support/busybox-image.ts'

export interface EngineUnderTest extends AsyncDisposable {
  readonly socket: string
  /** Undefined when the engine is not berth. */
  readonly api: EngineApi | undefined
}

export async function startEngine(): Promise<EngineUnderTest> {
  const foreign = process.env['CONFORMANCE_SOCKET']
  if (foreign !== undefined) {
    return { socket: foreign, api: undefined, [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  const api = await EngineApi.start()
  return { socket: api.daemon.socket, api, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() }
}

export { busyboxTar }

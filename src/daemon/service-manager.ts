/** systemd: sockets that it has opened for us (sd_listen_fds(3)), and telling it how far we are (sd_notify(3)). */
import { EngineError } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { openDatagrams } from '#os/datagrams.ts'

type Environment = Readonly<Record<string, string | undefined>>

const FIRST_DESCRIPTOR = 3

/** `fd://3` and so on. @throws EngineError invalid_argument when none were passed to this process */
export function passedDescriptors(environment: Environment, pid: number = process.pid): readonly string[] {
  const { LISTEN_PID, LISTEN_FDS } = environment
  const count = Number(LISTEN_FDS)
  if (Number(LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1) {
    throw new EngineError(
      'invalid_argument',
      'cannot listen on fd://: no sockets were passed to this process; start it by berth.socket, or name an address with -H',
      { code: 'ADDRESS_INVALID' },
    )
  }
  return Array.from({ length: count }, (_, i) => `fd://${FIRST_DESCRIPTOR + i}`)
}

/** Tells the service manager, where there is one; `state` as `READY=1`. Failure is logged: we run all the same. */
export async function notify(
  state: string,
  {
    program,
    environment,
    logger,
  }: {
    /** Path of `berth-send`. */
    readonly program: string
    readonly environment: Environment
    readonly logger: Logger
  },
): Promise<void> {
  const { NOTIFY_SOCKET: path } = environment
  if (path === undefined || path === '') return
  try {
    await using manager = await openDatagrams(program, path)
    await manager.send([Buffer.from(`${state}\nMAINPID=${process.pid}`)])
  } catch (error) {
    logger.warn('the service manager cannot be told', { state, error })
  }
}

import { EngineError, engineErrorOf } from '#base/errors.ts'
import { listeningSockets, processWithSocket } from '#os/proc/sockets.ts'

/**
 * The same error, saying who has the port: a container of ours, by `nameOf`, or a process of the host. Docker's words come
 * first, for those who look for them.
 */
export async function withHolder(
  error: unknown,
  nameOf: (containerId: string) => string | undefined,
): Promise<unknown> {
  const failure = engineErrorOf(error)
  if (failure === undefined) return error
  const holder =
    failure.code === 'PORT_ALLOCATED'
      ? containerText(failure, nameOf)
      : failure.code === 'PORT_BIND' && failure.message.endsWith('address already in use')
        ? await processText(failure)
        : undefined
  if (holder === undefined) return error
  const { kind, code, details } = failure
  return new EngineError(kind, `${failure.message} by ${holder}`, { code, cause: error, details })
}

function containerText(
  { details }: EngineError,
  nameOf: (containerId: string) => string | undefined,
): string | undefined {
  const name = nameOf(String(details['holder']))
  return name === undefined ? undefined : `container ${name}`
}

async function processText({ details }: EngineError): Promise<string | undefined> {
  const { protocol, hostPort, hostIp } = details
  const sockets = await listeningSockets('self')
  const family = String(hostIp).includes(':')
  const taken = sockets.filter((one) => one.protocol === protocol && one.port === hostPort)
  // One on :: may serve IPv4 as well.
  const socket = taken.find(({ address }) => address.includes(':') === family) ?? taken[0]
  const owner = socket === undefined ? undefined : await processWithSocket(socket.inode)
  return owner === undefined ? undefined : `${owner.name} (process ${owner.pid})`
}

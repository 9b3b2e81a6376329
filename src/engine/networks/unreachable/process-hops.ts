/** The first hops: the container, and a process in it that listens. */
import type { Hop } from '#api/network-reports.ts'
import type { ListeningSocket } from '#os/proc/sockets.ts'
import type { Container } from '../../containers/container.ts'
import { runOf } from '../../containers/state.ts'
import { isLoopback, listensAt } from '../listening.ts'
import { broken, ok } from './hop.ts'
import type { Scene, UnreachableDeps } from './scene.ts'
import { networkModeOf } from '../../containers/network-mode.ts'

/** A namespace that is shared belongs to one container. */
export function owner({ registry }: UnreachableDeps, container: Container): Container {
  const mode = networkModeOf(container)
  if (!mode.startsWith('container:') || runOf(container.state) === undefined) return container
  return registry.resolve(mode.slice('container:'.length))
}

export function stateHop(container: Container): Hop {
  const { name, state } = container
  const { status } = state
  if (status === 'paused') {
    return broken('container', `${name} is paused`, `berth unpause ${name}`)
  }
  if (status !== 'running')
    return broken('container', `${name} is ${status}`, `berth start ${name}; berth logs ${name}`)
  if (networkModeOf(container) === 'none') {
    return broken('container', `${name} has no network (none)`, 'create it with another --network')
  }
  return ok('container', `${name} is running`)
}

export function listenerHop({ container, run, question }: Scene, sockets: readonly ListeningSocket[]): Hop {
  const { port, protocol } = question
  const text = `${port}/${protocol}`
  const own = sockets.filter((socket) => socket.port === port && socket.protocol === protocol)
  if (own.length === 0) {
    const others = [
      ...new Set(
        sockets.filter(({ address }) => !isLoopback(address)).map((one) => `${one.port}/${one.protocol}`),
      ),
    ]
    const instead = others.length === 0 ? 'nothing else does' : `these do: ${others.join(', ')}`
    return broken(
      'listener',
      `nothing in ${container.name} listens on ${text}; ${instead}`,
      `berth logs ${container.name}, and the configuration of the program`,
    )
  }
  if (own.every(({ address }) => isLoopback(address))) {
    const addresses = own.map(({ address }) => address).join(' and ')
    return broken(
      'listener',
      `${text} is listened on at ${addresses} only, which is the container itself`,
      `make the program listen on 0.0.0.0 (or ::)`,
    )
  }
  const host = networkModeOf(container) === 'host'
  const addresses = run.endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter((one) => one !== undefined)
  if (
    !host &&
    !addresses.some((address) => own.some((socket) => listensAt(socket, { port, protocol, address })))
  ) {
    const at = own.map(({ address }) => address).join(', ')
    return broken(
      'listener',
      `${text} is listened on at ${at}, which ${container.name} has on no network`,
      'make the program listen on 0.0.0.0 (or ::)',
    )
  }
  return ok('listener', `${text} is listened on at ${own.map(({ address }) => address).join(', ')}`)
}

import type { Diagnosis, Hop } from '#api/network-reports.ts'
import { runOf } from '../../containers/state.ts'
import { insideHops } from './inside-hops.ts'
import { hostHops, outsideHops } from './outside-hops.ts'
import { listenerHop, owner, stateHop } from './process-hops.ts'
import type { UnreachableDeps, UnreachableQuestion } from './scene.ts'
import { networkModeOf } from '../../containers/network-mode.ts'

/**
 * Why a port of a container is not reached: follows the way from the process outwards, hop by hop, and names the first
 * that is broken. Everything is read from the kernel at that moment; nothing is changed, and nothing is sent.
 */
export async function whyUnreachable(
  deps: UnreachableDeps,
  ref: string,
  question: UnreachableQuestion,
): Promise<Diagnosis> {
  const container = owner(deps, deps.registry.resolve(ref))
  const state = stateHop(container)
  const run = runOf(container.state)
  if (run === undefined || state.State === 'broken') return diagnosis([state])
  const scene = { container, run, question, report: await deps.networks.firewall() }
  const hops = [state, listenerHop(scene, await deps.sockets(run.pid))]
  if (networkModeOf(container) === 'host') return diagnosis([...hops, ...hostHops(scene)])
  if (question.from === undefined) return diagnosis([...hops, ...(await outsideHops(deps, scene))])
  return diagnosis([...hops, ...(await insideHops(deps, scene, question.from))])
}

function diagnosis(hops: readonly Hop[]): Diagnosis {
  const broken = hops.find(({ State }) => State === 'broken')
  return { Hops: hops, ...(broken === undefined ? {} : { Broken: broken }) }
}

/** Packets between ports of one bridge pass the firewall only if br_netfilter shows them to it. */
import { EngineError } from '#base/errors.ts'
import type { LinkDeps } from './bridge.ts'

const KEYS = { 4: 'bridge-nf-call-iptables', 6: 'bridge-nf-call-ip6tables' } as const

/**
 * Makes the firewall see what is bridged, so that containers of one network can be kept apart; true when it did not. The kernel's
 * setting holds for all bridges of the host's network namespace; ours alone have rules for it. An error when the kernel cannot.
 */
export async function ensureBridgeFilter({ helper, sysctls }: LinkDeps, ipv6: boolean): Promise<boolean> {
  let changed = false
  for (const family of ipv6 ? ([4, 6] as const) : ([4] as const)) {
    const key = ['net', 'bridge', KEYS[family]] as const
    let value = await sysctls.read(...key)
    if (value === undefined) {
      await helper.run(['modprobe', 'br_netfilter'])
      value = await sysctls.read(...key)
    }
    if (value === undefined) throw missing()
    if (value === '1') continue
    await sysctls.write('1', ...key)
    changed = true
  }
  return changed
}

function missing(): EngineError {
  return new EngineError(
    'not_implemented',
    'cannot restrict inter-container communication: please ensure that br_netfilter kernel module is loaded',
    { code: 'BRIDGE_FILTER_MISSING' },
  )
}

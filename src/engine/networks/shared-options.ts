import type { SharedLink } from '#network/networks.ts'
import { nowhereLink } from '#network/parent-link.ts'
import { isInterfaceName, mtuOption } from './driver-options.ts'
import { invalidNetwork, refusedByDriver } from './errors.ts'

/** What the options of a macvlan or ipvlan network say, by the names that Docker gives them. */
export interface SharedOptions {
  /** The parent; a link that leads nowhere when none was named. */
  readonly link: string
  /** 0: that of the parent. */
  readonly mtu: number
  /** Without a parent there is no way out. */
  readonly internal: boolean
  readonly shared: SharedLink
}

type Options = Readonly<Record<string, string>>

/** Unknown options are ignored, as with Docker. */
export function sharedOptions(
  driver: SharedLink['kind'],
  options: Options,
  networkId: string,
): SharedOptions {
  const parent = options['parent'] ?? ''
  if (parent === 'lo') throw refusedByDriver(`loopback interface is not a valid ${driver} parent link`)
  if (parent !== '' && !isInterfaceName(parent)) {
    throw invalidNetwork(`invalid parent interface ${JSON.stringify(parent)}`)
  }
  return {
    link: parent === '' ? nowhereLink(networkId) : parent,
    mtu: mtuOption(options) ?? 0,
    internal: parent === '',
    shared: driver === 'macvlan' ? macvlan(options) : ipvlan(options),
  }
}

const macvlanModes = ['bridge', 'private', 'vepa', 'passthru'] as const
const ipvlanModes = ['l2', 'l3', 'l3s'] as const
const ipvlanFlags = ['bridge', 'private', 'vepa'] as const

function macvlan(options: Options): SharedLink {
  const wanted = options['macvlan_mode'] || 'bridge'
  const mode = macvlanModes.find((one) => one === wanted)
  if (mode !== undefined) return { kind: 'macvlan', mode }
  throw refusedByDriver(
    `requested macvlan mode '${wanted}' is not valid, 'bridge' mode is the macvlan driver default`,
  )
}

function ipvlan(options: Options): SharedLink {
  const wanted = options['ipvlan_mode'] || 'l2'
  const mode = ipvlanModes.find((one) => one === wanted)
  if (mode === undefined) {
    throw refusedByDriver(
      `requested ipvlan mode '${wanted}' is not valid, 'l2' mode is the ipvlan driver default`,
    )
  }
  const asked = options['ipvlan_flag'] || 'bridge'
  const flag = ipvlanFlags.find((one) => one === asked)
  if (flag === undefined) {
    throw refusedByDriver(
      `requested ipvlan flag '${asked}' is not valid, 'bridge' is the ipvlan driver default`,
    )
  }
  return { kind: 'ipvlan', mode, flag }
}

import type { NetworkSummary } from '#api/generated/types.ts'
import { shortId } from '#base/ids.ts'
import type { Headers } from '../list.ts'
import { view, type View } from '../template/view.ts'
import { goTimeOf } from '../units.ts'
import { labelText } from './container.ts'

/** What `--format raw` shows. */
export const rawNetwork = ['network_id=ID', 'name=Name', 'driver=Driver', 'scope=Scope']

export const networkTable = 'table {{.ID}}\\t{{.Name}}\\t{{.Driver}}\\t{{.Scope}}'

export const networkHeaders: Headers = {
  ID: 'NETWORK ID',
  Name: 'NAME',
  Driver: 'DRIVER',
  Scope: 'SCOPE',
  IPv4: 'IPV4',
  IPv6: 'IPV6',
  Internal: 'INTERNAL',
  Labels: 'LABELS',
  CreatedAt: 'CREATED AT',
}

export function networkView(network: NetworkSummary, options: { readonly trunc: boolean }): View {
  const labels = network.Labels ?? {}
  return view('*network.networkContext', {
    ID: () => (options.trunc ? shortId(network.Id ?? '') : (network.Id ?? '')),
    Name: () => network.Name ?? '',
    Driver: () => network.Driver ?? '',
    Scope: () => network.Scope ?? '',
    IPv4: () => String(network.EnableIPv4 ?? false),
    IPv6: () => String(network.EnableIPv6 ?? false),
    Internal: () => String(network.Internal ?? false),
    Labels: () => labelText(labels),
    Label: (key: string) => labels[key] ?? '',
    CreatedAt: () => goTimeOf(network.Created ?? ''),
  })
}

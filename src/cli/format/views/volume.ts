import type { Volume } from '#api/generated/types.ts'
import type { Headers } from '../list.ts'
import { view, type View } from '../template/view.ts'
import { humanSize } from '../units.ts'
import { labelText } from './container.ts'

/** What `--format raw` shows. */
export const rawVolume = ['name=Name', 'driver=Driver']

export const volumeTable = 'table {{.Driver}}\\t{{.Name}}'

export const volumeHeaders: Headers = {
  Name: 'VOLUME NAME',
  Driver: 'DRIVER',
  Scope: 'SCOPE',
  Availability: 'AVAILABILITY',
  Mountpoint: 'MOUNTPOINT',
  Group: 'GROUP',
  Labels: 'LABELS',
  Links: 'LINKS',
  Size: 'SIZE',
  Status: 'STATUS',
}

export function volumeView(volume: Volume): View {
  const labels = volume.Labels ?? {}
  const usage = volume.UsageData
  return view('*formatter.volumeContext', {
    Name: () => volume.Name ?? '',
    Driver: () => volume.Driver ?? '',
    Scope: () => volume.Scope ?? '',
    Availability: () => 'N/A',
    Mountpoint: () => volume.Mountpoint ?? '',
    Group: () => 'N/A',
    Labels: () => labelText(labels),
    Label: (key: string) => labels[key] ?? '',
    Links: () => (usage === undefined || usage === null ? 'N/A' : String(usage.RefCount ?? 0)),
    Size: () => (usage === undefined || usage === null ? 'N/A' : humanSize(usage.Size ?? 0)),
    Status: () => 'N/A',
  })
}

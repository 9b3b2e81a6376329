import type { ContainerSummary } from '#api/generated/types.ts'
import { isKind } from '#base/errors.ts'
import { shortId } from '#base/ids.ts'
import { formatFamiliar, parseReference } from '#oci/reference.ts'
import type { Headers } from '../list.ts'
import { showPorts } from '../ports.ts'
import { view, type View } from '../template/view.ts'
import { ellipsis, goTime, humanDuration, humanSize } from '../units.ts'

/** What `--format raw` shows. */
export function rawContainer(size: boolean): string[] {
  return [
    'container_id=ID',
    'image=Image',
    'command=Command',
    'created_at=CreatedAt',
    'state=State',
    'status=Status',
    'names=Names',
    'labels=Labels',
    'ports=Ports',
    ...(size ? ['size=Size'] : []),
  ]
}

export const containerTable =
  'table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Ports}}\\t{{.Names}}'

export const containerHeaders: Headers = {
  ID: 'CONTAINER ID',
  Names: 'NAMES',
  Image: 'IMAGE',
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
  Ports: 'PORTS',
  State: 'STATE',
  Status: 'STATUS',
  Size: 'SIZE',
  Labels: 'LABELS',
  Mounts: 'MOUNTS',
  LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS',
  Platform: 'PLATFORM',
  HealthStatus: 'HEALTH',
}

/** A container in a list. Template fields as in `docker ps --format`. */
export function containerView(
  container: ContainerSummary,
  options: { readonly trunc: boolean; readonly now: number },
): View {
  const { trunc, now } = options
  const created = container.Created ?? 0
  const labels = container.Labels ?? {}
  const mounts = container.Mounts ?? []
  return view('*formatter.ContainerContext', {
    ID: () => (trunc ? shortId(container.Id ?? '') : (container.Id ?? '')),
    Names: () => names(container.Names ?? [], trunc),
    Image: () => imageName(container, trunc),
    Command: () => JSON.stringify(trunc ? ellipsis(container.Command ?? '', 20) : (container.Command ?? '')),
    CreatedAt: () => goTime(created * 1000),
    RunningFor: () => `${humanDuration(now / 1000 - created)} ago`,
    Ports: () => showPorts(container.Ports ?? []),
    State: () => container.State ?? '',
    Status: () => container.Status ?? '',
    Size: () => size(container),
    Labels: () => labelText(labels),
    Label: (key: string) => labels[key] ?? '',
    Mounts: () =>
      mounts
        .map(({ Name, Source }) => Name || Source || '')
        .map((name) => (trunc ? ellipsis(name, 15) : name))
        .join(','),
    LocalVolumes: () => String(mounts.filter(({ Driver }) => Driver === 'local').length),
    Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
    Platform: () => platform(container),
    HealthStatus: () => container.Health?.Status ?? '',
  })
}

/** Labels as `a=b,c=d`, in alphabetical order. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`)
    .join(',')
}

/** Truncated: only the container's own name, not those that links give it. */
function names(all: readonly string[], trunc: boolean): string {
  const stripped = all.map((name) => name.replace(/^\//, ''))
  return (trunc ? stripped.filter((name) => !name.includes('/')) : stripped).join(',')
}

function imageName(container: ContainerSummary, trunc: boolean): string {
  const { Image: image, ImageID: id = '' } = container
  if (image === undefined || image === null || image === '') return '<no image>'
  if (!trunc) return image
  // The tag may point elsewhere by now; then the list names the id.
  if (shortId(id ?? '') === shortId(image)) return shortId(id ?? '')
  return withoutDigest(image)
}

function withoutDigest(image: string): string {
  try {
    return formatFamiliar({ ...parseReference(image), digest: undefined })
  } catch (error) {
    if (isKind(error, 'invalid_argument')) return image
    throw error
  }
}

function size({ SizeRw, SizeRootFs }: ContainerSummary): string {
  const own = humanSize(SizeRw ?? 0, 3)
  return (SizeRootFs ?? 0) > 0 ? `${own} (virtual ${humanSize(SizeRootFs ?? 0, 3)})` : own
}

function platform({ ImageManifestDescriptor }: ContainerSummary): string | null {
  const found = ImageManifestDescriptor?.platform
  if (found === undefined || found === null) return null
  return [found.os, found.architecture, found.variant].filter(Boolean).join('/')
}

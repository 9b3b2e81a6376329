import { labels } from '#compose/state/labels.ts'
import type { ObservedContainer } from '#compose/state/observed.ts'
import type { Headers } from '../../format/list.ts'
import { view, type Field, type View } from '../../format/template/view.ts'
import { containerHeaders as plainHeaders, containerView as plainView } from '../../format/views/container.ts'

export const containerHeaders: Headers = {
  ...plainHeaders,
  Name: 'NAME',
  Project: 'PROJECT',
  Service: 'SERVICE',
  Health: 'HEALTH',
  ExitCode: 'EXIT CODE',
  Publishers: 'PUBLISHERS',
}

/** A container in the list of a project. Template fields as in `docker compose ps --format`. */
export function containerView(
  container: ObservedContainer,
  options: { readonly trunc: boolean; readonly now: number },
): View {
  const {
    HealthStatus: _health,
    Platform: _platform,
    ...plain
  } = plainView(container.summary, options).fields
  const fields: Readonly<Record<string, Field>> = {
    ...plain,
    Name: () => container.name,
    Project: () => container.labels[labels.project] ?? '',
    Service: () => container.service,
    Health: () => (container.health === 'none' ? '' : container.health),
    ExitCode: () => Number(/^Exited \((\d+)\)/.exec(container.statusText)?.[1] ?? 0),
    Publishers: () => publishers(container),
  }
  const ordered = Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return view('*formatter.ContainerContext', Object.fromEntries(ordered))
}

function publishers({ summary }: ObservedContainer): readonly object[] {
  return (summary.Ports ?? []).map(({ IP, PrivatePort, PublicPort, Type }) => ({
    URL: IP ?? '',
    TargetPort: PrivatePort ?? 0,
    PublishedPort: PublicPort ?? 0,
    Protocol: Type ?? '',
  }))
}

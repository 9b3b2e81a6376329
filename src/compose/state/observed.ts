import type { ContainerSummary } from '#api/generated/types.ts'
import { labels } from './labels.ts'

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'removing' | 'dead'

export interface ObservedContainer {
  readonly id: string
  readonly name: string
  readonly service: string
  /** Counted from 1; 0 for one-off containers. */
  readonly number: number
  readonly oneoff: boolean
  readonly hash: string
  /** The id of the image that it was made of; empty where the label is missing. */
  readonly imageId: string
  /** As it was named when the container was made. */
  readonly image: string
  readonly status: ContainerStatus
  /** As `ps` shows it, such as `Up 2 minutes (healthy)`. */
  readonly statusText: string
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy'
  /** Ids of networks by name. */
  readonly networks: ReadonlyMap<string, string>
  readonly volumes: readonly { readonly name: string; readonly target: string }[]
  /** The id of the container that this one is to replace; its own removal was not reached. */
  readonly replaces: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly summary: ContainerSummary
}

export interface ObservedNetwork {
  readonly id: string
  readonly name: string
  readonly hash: string | undefined
  /** Whether it carries this project's label. */
  readonly own: boolean
}

export interface ObservedVolume {
  readonly name: string
  readonly hash: string | undefined
  readonly own: boolean
}

export interface ObservedImage {
  readonly id: string
  /** When it got its name, in milliseconds since 1970; undefined where the engine does not know. */
  readonly taggedAt: number | undefined
}

/** What there is of a project at one moment. */
export interface Observed {
  readonly containers: readonly ObservedContainer[]
  /** By name in the engine. */
  readonly networks: ReadonlyMap<string, ObservedNetwork>
  readonly volumes: ReadonlyMap<string, ObservedVolume>
  /** Images that are here, by the name that the project has for them. */
  readonly images: ReadonlyMap<string, ObservedImage>
}

export function observedContainer(summary: ContainerSummary): ObservedContainer {
  const own = summary.Labels ?? {}
  const networks = Object.entries(summary.NetworkSettings?.Networks ?? {})
  const statusText = summary.Status ?? ''
  return {
    id: summary.Id ?? '',
    name: (summary.Names?.[0] ?? '').replace(/^\//, ''),
    service: own[labels.service] ?? '',
    number: Number(own[labels.number] ?? 0),
    oneoff: own[labels.oneoff] === 'True',
    hash: own[labels.hash] ?? '',
    imageId: own[labels.image] ?? '',
    image: summary.Image ?? '',
    status: summary.State ?? 'created',
    statusText,
    health: healthOf(summary.Health?.Status ?? undefined, statusText),
    networks: new Map(networks.map(([name, endpoint]) => [name, endpoint.NetworkID ?? ''])),
    volumes: (summary.Mounts ?? [])
      .filter(({ Type }) => Type === 'volume')
      .map(({ Name, Destination }) => ({ name: Name ?? '', target: Destination ?? '' })),
    replaces: own[labels.replace],
    labels: own,
    summary,
  }
}

/** Engines before API 1.52 say it only in the text. */
function healthOf(given: ObservedContainer['health'] | undefined, text: string): ObservedContainer['health'] {
  if (given !== undefined) return given
  const [, word = ''] = /\((?:health: )?(starting|healthy|unhealthy)\)/.exec(text) ?? []
  return word === '' ? 'none' : (word as ObservedContainer['health'])
}

/** Whether its process runs, frozen or not. */
export function isUp({ status }: Pick<ObservedContainer, 'status'>): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting'
}

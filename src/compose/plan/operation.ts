/**
 * What is to be done to make a project what its files say. An operation is data: it can be printed, compared with a golden
 * file, or carried out (execute/), and it says why it is there.
 */
import type { Condition } from '../model/project.ts'
import type { ObservedContainer } from '../state/observed.ts'
import type { InheritedVolume } from '../create/mounts.ts'

interface Planned {
  /** Unique within a plan; says what is done to what, such as `start container/web-1`. */
  readonly id: string
  readonly cause: string
  /** Operations that have to be done before. */
  readonly after: readonly string[]
}

/** A container to be made. */
export interface NewContainer {
  readonly service: string
  readonly number: number
  readonly name: string
  /** Volumes without a name that a predecessor had. */
  readonly inherited: readonly InheritedVolume[]
}

export type Action =
  | { readonly type: 'create network'; readonly network: string; readonly name: string }
  | { readonly type: 'remove network'; readonly name: string; readonly networkId: string }
  | { readonly type: 'create volume'; readonly volume: string; readonly name: string }
  | { readonly type: 'remove volume'; readonly name: string }
  | { readonly type: 'pull image'; readonly image: string; readonly service: string }
  | { readonly type: 'build image'; readonly image: string; readonly service: string }
  | { readonly type: 'remove image'; readonly image: string }
  | { readonly type: 'create container'; readonly container: NewContainer }
  /** Makes another one, and lets it take the place of `old` once it runs, or, where nothing is started, at once. */
  | {
      readonly type: 'replace container'
      readonly container: NewContainer
      readonly old: ObservedContainer
      readonly starts: boolean
      /** The new one has to be ready before the old one goes. */
      readonly rolling: boolean
    }
  | {
      readonly type: 'start container'
      readonly name: string
      readonly service: string
      readonly containerId?: string | undefined
    }
  | { readonly type: 'restart container'; readonly container: ObservedContainer }
  | { readonly type: 'stop container'; readonly container: ObservedContainer }
  | { readonly type: 'remove container'; readonly container: ObservedContainer; readonly volumes: boolean }
  /** What an interrupted replacement did not come to. */
  | { readonly type: 'rename container'; readonly container: ObservedContainer; readonly name: string }
  | {
      readonly type: 'wait for service'
      readonly service: string
      readonly condition: Condition
      /** Off: what fails is only said. */
      readonly required: boolean
    }

export type Operation = Action & Planned
export type Plan = readonly Operation[]

/** The object of an action, as a person knows it. */
export function objectOf(action: Action): string {
  switch (action.type) {
    case 'create network':
    case 'remove network':
    case 'create volume':
    case 'remove volume':
    case 'start container':
      return action.name
    case 'pull image':
    case 'build image':
    case 'remove image':
      return action.image
    case 'create container':
    case 'replace container':
      return action.container.name
    case 'restart container':
    case 'stop container':
    case 'remove container':
      return action.container.name
    case 'rename container':
      return `${action.container.name} to ${action.name}`
    case 'wait for service':
      return `${action.service} (${action.condition})`
  }
}

export function idOf(action: Action): string {
  return `${action.type} ${objectOf(action)}`
}

/** What somebody who says `up` wants besides what the files say. */
export interface Wishes {
  /** Services that were named; empty: all. What only they need is made anew when it has changed, not because of `recreate`. */
  readonly named: readonly string[]
  readonly recreate: 'changed' | 'always' | 'never'
  readonly recreateDependencies: 'changed' | 'always' | 'never'
  /** Off for `create` and `up --no-start`. */
  readonly starts: boolean
  /** Number of containers by service, where it is not the one of the files. */
  readonly scale: Readonly<Record<string, number>>
  readonly removeOrphans: boolean
  /** Volumes without a name are not taken over. */
  readonly renewAnonymousVolumes: boolean
  /** Volumes whose definition has changed are removed, with what is in them. */
  readonly recreateVolumes: boolean
  /** Containers of a service are replaced one after the other, each new one ready before the old one goes. */
  readonly rolling: boolean
}

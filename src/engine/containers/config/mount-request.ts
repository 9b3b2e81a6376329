/** Something to be mounted, as it was asked for; nothing of the machine has been looked at. */
export interface MountRequest {
  readonly type: 'bind' | 'volume' | 'tmpfs' | 'image'
  /** bind: path of the host; volume: its name, empty for an anonymous one; image: its reference; tmpfs: empty. */
  readonly source: string
  /** Absolute and clean. */
  readonly destination: string
  /** As in inspect: the third part of `--volume`. */
  readonly mode: string
  readonly readWrite: boolean
  readonly propagation: Propagation
  /** Mounts below the source come with it. */
  readonly recursive: boolean
  /** Whether read-only covers those as well; `required`: refuse when the kernel cannot. */
  readonly recursiveReadOnly: 'no' | 'if-possible' | 'required'
  /** An empty volume is not filled from the image. */
  readonly noCopy: boolean
  /** Relative path below the source, without a way out of it; empty for all of it. */
  readonly subpath: string
  /** A missing bind source becomes a directory. */
  readonly createSource: boolean
  readonly driver?: string | undefined
  readonly driverOptions: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  /** Options of a tmpfs. */
  readonly data: readonly string[]
  /** bind: `host` (the owner of the source) or `UID:GID`, who then owns what the container's user makes; an extension. */
  readonly idmap?: string | undefined
}

export const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const
export type Propagation = (typeof propagations)[number]

/** What every kind of request has unless it says otherwise. */
export const plainRequest: Omit<MountRequest, 'type' | 'destination'> = {
  source: '',
  mode: '',
  readWrite: true,
  propagation: 'rprivate',
  recursive: true,
  recursiveReadOnly: 'if-possible',
  noCopy: false,
  subpath: '',
  createSource: false,
  driverOptions: {},
  labels: {},
  data: [],
}

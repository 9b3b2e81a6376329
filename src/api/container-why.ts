/** `GET /berth/containers/{id}/why`: why a container is in its state. */
export interface ContainerWhy {
  readonly ID: string
  /** Without the leading slash. */
  readonly Name: string
  readonly Image: string
  /** One of Docker's seven. */
  readonly Status: string
  /** One sentence. */
  readonly Summary: string
  /** More of what is known, one sentence each. */
  readonly Details: readonly string[]
  /** What to do, where something can be done. */
  readonly Next?: string
  /** What happened to it, newest first. */
  readonly History: readonly {
    /** RFC 3339. */
    readonly Time: string
    readonly What: string
    /** Who asked for it. */
    readonly By?: string
  }[]
  /** The end of its log. */
  readonly LastLines: readonly string[]
}

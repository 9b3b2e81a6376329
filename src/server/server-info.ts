export interface ServerInfo {
  /** Of the engine, for the Server header. */
  readonly version: string
  readonly experimental: boolean
  /** Which builder clients should prefer: 1 classic, 2 BuildKit. */
  readonly builderVersion?: '1' | '2'
}

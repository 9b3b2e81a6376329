export interface ServerInfo {
  /** Of the engine, for the Server header. */
  readonly version: string
  readonly experimental: boolean
}

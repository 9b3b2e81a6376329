import { Section } from './settings/section.ts'

/** What one registry takes from its clients. */
export interface Limits {
  /** Bytes of a manifest. distribution-spec: at least 4 MiB. */
  readonly manifest: number
  /** Bytes of a blob. */
  readonly blob: number
  /** Blob bodies being received at the same time; more are told to come back. */
  readonly receiving: number
  /** Uploads that were begun and have not ended. */
  readonly uploads: number
  readonly connections: number
  /** Milliseconds until the head of a request has come. */
  readonly headers: number
  /** Milliseconds that a client may neither send nor take a byte. */
  readonly stall: number
}

export const defaultLimits: Limits = {
  manifest: 4 << 20,
  blob: 2 ** 40,
  receiving: 256,
  uploads: 10_000,
  connections: 4096,
  headers: 20_000,
  stall: 60_000,
}

/** The setting `limits`: `{ manifest?: "4MiB", blob?: "1TB", receiving?: 256, uploads?: 10000, connections?: 4096, headers?: "20s", stall?: "60s" }`. */
export function readLimits(value: unknown): Limits {
  if (value === undefined) return defaultLimits
  const section = new Section(value, 'limits')
  const limits = {
    manifest: section.size('manifest') ?? defaultLimits.manifest,
    blob: section.size('blob') ?? defaultLimits.blob,
    receiving: section.count('receiving') ?? defaultLimits.receiving,
    uploads: section.count('uploads') ?? defaultLimits.uploads,
    connections: section.count('connections') ?? defaultLimits.connections,
    headers: section.duration('headers') ?? defaultLimits.headers,
    stall: section.duration('stall') ?? defaultLimits.stall,
  }
  section.end()
  return limits
}

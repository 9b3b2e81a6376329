import type { Digest } from '#base/digest.ts'

/** Paths within the registry, for `Location` and `Link`: relative, so that they hold behind any proxy. */
export function blobLocation(repository: string, digest: Digest): string {
  return `/v2/${repository}/blobs/${digest}`
}

export function manifestLocation(repository: string, reference: string): string {
  return `/v2/${repository}/manifests/${reference}`
}

/** Where to go on with an upload, and what has come: an inclusive range, which cannot say "nothing". */
export function uploadHeaders(repository: string, id: string, size: number): Record<string, string> {
  return {
    Location: `/v2/${repository}/blobs/uploads/${id}`,
    Range: `0-${Math.max(size - 1, 0)}`,
    'Docker-Upload-UUID': id,
  }
}

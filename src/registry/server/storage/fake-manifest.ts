import type { NewManifest } from './manifest-rows.ts'

/** A manifest for tests: of nothing, but for what is said. */
export function fakeManifest(
  said: Partial<NewManifest> & Pick<NewManifest, 'repository' | 'digest'>,
): NewManifest {
  return {
    mediaType: 'x',
    artifactType: undefined,
    config: undefined,
    subject: undefined,
    annotations: undefined,
    contentSize: 0,
    pushed: 1,
    bytes: new Uint8Array(1),
    blobs: [],
    children: [],
    ...said,
  }
}

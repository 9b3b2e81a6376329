import type { FileSource } from '#build/sources/file-source.ts'

/** `source` for somebody who may dispose it while others go on reading: only its owner ends it. */
export function sharedSource(source: FileSource): FileSource {
  return {
    name: source.name,
    layers: source.layers,
    walk: (path, options) => source.walk(path, options),
    find: (path) => source.find(path),
    ...(source.ignoredBy === undefined ? {} : { ignoredBy: (path: string) => source.ignoredBy?.(path) }),
    root: () => source.root(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

import type { FileSource } from './file-source.ts'

/** `source` with another end: for whoever shares it, or holds more with it. */
export function withDisposal(source: FileSource, dispose: () => Promise<void>): FileSource {
  const { name, layers } = source
  return {
    name,
    layers,
    walk: (path, options) => source.walk(path, options),
    find: (path) => source.find(path),
    state: async (path, options) => source.state?.(path, options),
    ignoredBy: (path) => source.ignoredBy?.(path),
    root: () => source.root(),
    [Symbol.asyncDispose]: dispose,
  }
}

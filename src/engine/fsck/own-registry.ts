import type { Digest } from '#base/digest.ts'
import type { Problem } from './problem.ts'

/** The part of the registry served by this engine that a check needs. */
export interface CheckedRegistry {
  readonly url: string
  check(options: { readonly signal: AbortSignal }): AsyncIterable<{
    readonly digest: Digest
    readonly problem: string
    /** `repository:tag`, or a repository. */
    readonly images: readonly string[]
    readonly remove?: () => Promise<void>
  }>
}

/** Blobs and manifests of the registry against their digests. What is damaged there can only be sent there again. */
export async function* checkOwnRegistry(
  registry: CheckedRegistry,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Problem> {
  const { host } = new URL(registry.url)
  for await (const { digest, problem, images, remove } of registry.check({ signal })) {
    const names = images.map((name) => `${host}/${name}`)
    const advice = `push ${names[0] ?? 'the image'} again`
    yield {
      object: { kind: 'blob', name: digest },
      problem: `in the registry of this engine: ${problem}`,
      damage: { images: names, containers: [] },
      advice,
      ...(remove === undefined
        ? {}
        : { remedy: { says: `take it away, so that it is received again: ${advice}`, apply: remove } }),
    }
  }
}

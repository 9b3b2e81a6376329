import { type Digest, digestOf } from '#base/digest.ts'

/** The chain id of each layer, bottom first. OCI image-spec, config.md "Layer ChainID". */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = []
  for (const diffId of diffIds) {
    const below = chain.at(-1)
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`))
  }
  return chain
}

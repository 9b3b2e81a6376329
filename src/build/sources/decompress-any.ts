import { decompress, type DecompressOptions } from '#oci/compression.ts'
import { type Filter, throughProgram } from '#os/filter-program.ts'
import { headOf } from './head-of.ts'

/**
 * What layers never have, but archives that people add do. Programs of the host do it, at its own expense of a processor; they
 * see the stream and nothing else.
 */
const programs: readonly (readonly [magic: readonly number[], filter: Filter])[] = [
  [[0x42, 0x5a, 0x68], { argv: ['bzip2', '--decompress', '--stdout'], package: 'bzip2' }],
  [
    [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
    { argv: ['xz', '--decompress', '--stdout', '--memlimit-decompress=512MiB'], package: 'xz-utils' },
  ],
]

const LONGEST = 6

/** As `decompress()`, and bzip2 and xz besides, which are `unavailable` where the host has no program for them. */
export async function* decompressAny(
  source: AsyncIterable<Uint8Array>,
  options: Pick<DecompressOptions, 'signal'> = {},
): AsyncGenerator<Uint8Array> {
  const head = await headOf(source, LONGEST)
  const found = programs.find(([magic]) => magic.every((byte, i) => head.bytes[i] === byte))
  if (found === undefined) yield* decompress(head.all(), options)
  else yield* throughProgram(found[1], head.all(), options)
}

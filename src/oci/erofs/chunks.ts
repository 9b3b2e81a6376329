import type { Extent } from '../tar/entry.ts'
import { BLOCK_SIZE, MAX_CHUNK_SHIFT } from './layout.ts'

/** Index entries of one layer: 32 MiB of them. Sparser files are better unpacked. */
export const MAX_CHUNKS = 4_194_304

/** Where the content of a file lies: equal pieces, each a run of blocks of the tar or a hole. */
export interface ChunkMap {
  /** Chunk size is the block size shifted by this. */
  readonly shift: number
  readonly count: number
}

export interface FileContent {
  readonly size: number
  readonly offset: number
  readonly extents: readonly Extent[] | undefined
}

/** How `file` can be described by chunks; undefined when its holes are not aligned to blocks or are too many. */
export function chunkMap(file: FileContent): ChunkMap | undefined {
  const contiguous = file.extents === undefined || file.extents.length === 0
  const shift = contiguous ? wholeShift(file.size) : sparseShift(file.size, file.extents)
  if (shift === undefined) return undefined
  const count = Math.ceil(file.size / (BLOCK_SIZE * 2 ** shift))
  return count > MAX_CHUNKS ? undefined : { shift, count }
}

/** Calls `set` for each chunk that is not a hole, with the block of the tar it begins at. */
export function forEachChunk(
  file: FileContent,
  map: ChunkMap,
  set: (chunk: number, block: number) => void,
): void {
  const chunkSize = BLOCK_SIZE * 2 ** map.shift
  let block = file.offset / BLOCK_SIZE
  for (const { offset, length } of file.extents ?? [{ offset: 0, length: file.size }]) {
    const first = offset / chunkSize
    const count = Math.ceil(length / chunkSize)
    for (let i = 0; i < count; i++) set(first + i, block + i * 2 ** map.shift)
    block += Math.ceil(length / BLOCK_SIZE)
  }
}

/** Contiguous content is one chunk that is large enough, or several of the largest size. */
function wholeShift(size: number): number {
  let shift = 0
  while (BLOCK_SIZE * 2 ** shift < size) shift++
  return Math.min(shift, MAX_CHUNK_SHIFT)
}

/** The largest chunk whose borders every region begins and ends at; the end of the file counts as one. */
function sparseShift(size: number, extents: readonly Extent[]): number | undefined {
  let shift = wholeShift(size)
  const fit = (value: number): void => {
    while (shift >= 0 && value % (BLOCK_SIZE * 2 ** shift) !== 0) shift--
  }
  for (const { offset, length } of extents) {
    fit(offset)
    if (offset + length < size) fit(length)
    if (shift < 0) return undefined
  }
  return shift
}

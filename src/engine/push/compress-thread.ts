/** A thread of CompressThreads: one block after the other. */
import { parentPort } from 'node:worker_threads'
import { messageOf } from '#base/errors.ts'
import { compressBlockSync } from '#oci/compress.ts'
import type { Compression } from '#oci/compression.ts'

export interface CompressJob {
  readonly block: Uint8Array<ArrayBuffer>
  readonly format: Exclude<Compression, 'none'>
}

export type Compressed = { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly error: string }

parentPort?.on('message', (job: CompressJob) => {
  const result = work(job)
  parentPort?.postMessage(result, 'bytes' in result ? [result.bytes.buffer] : [])
})

function work({ block, format }: CompressJob): Compressed {
  try {
    const bytes = compressBlockSync(block, format)
    // Small results may lie in a buffer that they share with others.
    return { bytes: bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes) }
  } catch (error) {
    return { error: messageOf(error) }
  }
}

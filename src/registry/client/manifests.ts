/** Reading manifests. distribution-spec "Pulling manifests" */
import { type Digest, isDigest, digestOf } from '#base/digest.ts'
import { type Descriptor, limits, mediaTypes } from '#oci/image-spec.ts'
import { badAnswer, wrongDigest } from './errors.ts'
import type { FetchedManifest } from './repository.ts'
import type { HttpReply } from './transport.ts'

const { ociManifest, ociIndex, dockerManifest, dockerIndex } = mediaTypes
export const acceptManifests: string = [ociIndex, dockerIndex, ociManifest, dockerManifest].join(', ')
const known: readonly string[] = [ociIndex, dockerIndex, ociManifest, dockerManifest]

/** What servers of plain files say of everything. */
const vague: readonly string[] = ['', 'application/json', 'application/octet-stream', 'text/plain']

/** Undefined: the answer to a HEAD does not say enough, so the manifest has to be read. */
export function descriptorOf(reply: HttpReply, wanted: string): Descriptor | undefined {
  const said = reply.headers['docker-content-digest']
  const digest = isDigest(wanted) ? wanted : said
  const size = Number(reply.headers['content-length'] ?? Number.NaN)
  const mediaType = mediaTypeOf(reply)
  if (typeof digest !== 'string' || !isDigest(digest) || !Number.isSafeInteger(size)) return undefined
  if (vague.includes(mediaType)) return undefined
  checkSaid(reply, digest)
  return { mediaType, digest, size }
}

/** Checks the bytes that came against what was asked for and what the registry says they are. */
export async function readManifest(reply: HttpReply, wanted: string): Promise<FetchedManifest> {
  const bytes = await reply.bytes(Math.max(limits.manifest, limits.index), 'manifest')
  const digest = digestOf(bytes)
  if (isDigest(wanted) && wanted !== digest) throw wrongDigest(reply.url.host, wanted, digest)
  checkSaid(reply, digest)
  const said = mediaTypeOf(reply)
  const mediaType = vague.includes(said) ? mediaTypeWithin(bytes) : said
  if (/docker\.distribution\.manifest\.v1\+/.test(mediaType)) {
    throw badAnswer(
      reply.url.host,
      'Docker image manifest version 2, schema 1 is no longer supported: push the image anew',
    )
  }
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes }
}

function checkSaid(reply: HttpReply, digest: Digest): void {
  const said = reply.headers['docker-content-digest']
  if (typeof said === 'string' && isDigest(said) && said !== digest)
    throw wrongDigest(reply.url.host, said, digest)
}

function mediaTypeOf(reply: HttpReply): string {
  return (reply.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/** `mediaType` of the document, or what its shape says. */
function mediaTypeWithin(bytes: Uint8Array): string {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return ociManifest // who parses it will say what is wrong
  }
  if (typeof document !== 'object' || document === null) return ociManifest
  const { mediaType, manifests } = document as Record<string, unknown>
  if (typeof mediaType === 'string' && known.includes(mediaType)) return mediaType
  return manifests === undefined ? ociManifest : ociIndex
}

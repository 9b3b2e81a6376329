import type { BuildMessage } from '#engine/builds/service.ts'
import type { DockerfileSource } from './dockerfile-source.ts'

type Answer = Extract<BuildMessage, { readonly type: 'call' }>

/** The answer to a question about a Dockerfile, as metadata of a result without files. */
export function callMetadata(
  { text, document, status }: Answer,
  _source: DockerfileSource | undefined,
): ReadonlyMap<string, Uint8Array> {
  const entries = {
    'result.json': JSON.stringify(document),
    'result.txt': text,
    'result.statuscode': String(status),
  }
  return new Map(Object.entries(entries).map(([name, value]) => [name, Buffer.from(value)]))
}

import type { Warning } from '#build/dockerfile/lint.ts'
import type { Outline, Target } from '#build/dockerfile/outline.ts'
import type { Range } from '#build/dockerfile/source.ts'
import type { BuildMessage } from '#engine/builds/service.ts'
import { type DockerfileSource, jsonSource } from './dockerfile-source.ts'

type Answer = Extract<BuildMessage, { readonly type: 'call' }>

/** Of the documents below. */
const VERSION = '1.0.0'

/** The answer to a question about a Dockerfile (`frontend.lint`, `.outline`, `.targets`), as metadata of a result without files. */
export function callMetadata(
  { text, document, status }: Answer,
  source: DockerfileSource | undefined,
): ReadonlyMap<string, Uint8Array> {
  const entries = {
    'result.json': JSON.stringify(documentOf(document as Documents, source)),
    'result.txt': text,
    'result.statuscode': String(status),
    version: VERSION,
  }
  return new Map(Object.entries(entries).map(([name, value]) => [name, Buffer.from(value)]))
}

/** What the engine answers, by the question. */
type Documents = { readonly warnings: readonly Warning[] } | { readonly targets: readonly Target[] } | Outline

function documentOf(document: Documents, source: DockerfileSource | undefined): object {
  const texts = source === undefined ? [] : [Buffer.from(source.text).toString('base64')]
  if ('warnings' in document) {
    const sources = source === undefined ? [] : [jsonSource(source)]
    return { warnings: document.warnings.map(warningOf), sources }
  }
  if ('targets' in document) {
    const targets = document.targets.map(({ range, isDefault, ...target }) => ({
      ...target,
      default: isDefault,
      location: locationOf(range),
    }))
    return { targets, sources: texts }
  }
  const { name, description, args, secrets, ssh } = document
  const mounts = (all: Outline['secrets']): object[] =>
    all.map(({ id, required, range }) => ({ name: id, required, location: locationOf(range) }))
  return {
    name,
    description,
    args: args.map(({ range, ...arg }) => ({ ...arg, location: locationOf(range) })),
    secrets: mounts(secrets),
    ssh: mounts(ssh),
    sources: texts,
  }
}

function warningOf({ rule, message, description, range }: Warning): object {
  return { ruleName: rule, description, detail: message, location: locationOf(range) }
}

function locationOf({ start, end }: Range): object {
  return { ranges: [{ start: { line: start.line }, end: { line: end.line } }] }
}

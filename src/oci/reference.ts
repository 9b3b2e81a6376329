import { type Digest, isDigest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'

/**
 * A name of an image in normal form: `docker.io/library/alpine:3.20`, `ghcr.io/a/b@sha256:…`, or both tag and digest.
 * The grammar is that of Docker references; people see the *familiar* form, in which `docker.io/` and `library/` are
 * left out.
 */
export interface Reference {
  /** Host with an optional port; `docker.io` when none was given. */
  readonly domain: string
  /** Repository within the registry; `library/…` for the official images of Docker Hub. */
  readonly path: string
  readonly tag: string | undefined
  readonly digest: Digest | undefined
}

const DEFAULT_DOMAIN = 'docker.io'
const LEGACY_DOMAIN = 'index.docker.io'
const OFFICIAL = 'library/'
const DEFAULT_TAG = 'latest'
const MAX_NAME = 255

const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const domain = `(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`
const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const tag = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}'
const digest = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}'

const REFERENCE = new RegExp(
  `^(?<domain>${domain})/(?<path>${component}(?:/${component})*)(?::(?<tag>${tag}))?(?:@(?<digest>${digest}))?$`,
)
const TAG = new RegExp(`^${tag}$`)
const HEX_ID = /^[a-f0-9]{64}$/

/** Longer than any valid reference: the expressions above never see a text that could keep them busy. */
const MAX_TEXT = 1024

/** Parses what a person or a client calls an image. Nothing is added but domain and `library/`. */
export function parseReference(text: string): Reference {
  if (text === '') throw invalid('repository name must have at least one component')
  if (text.length > MAX_TEXT) throw invalid('invalid reference format')
  if (HEX_ID.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`)
  }
  const [domainPart, remainder] = splitDomain(text)
  const name = remainder.split(':', 1)[0] ?? ''
  if (name.toLowerCase() !== name) {
    throw invalid(`invalid reference format: repository name (${name}) must be lowercase`)
  }
  const groups = REFERENCE.exec(`${domainPart}/${remainder}`)?.groups
  const path = groups?.['path']
  if (path === undefined) throw invalid('invalid reference format')
  if (path.length > MAX_NAME) {
    throw invalid(`repository name must not be more than ${MAX_NAME} characters`)
  }
  return {
    domain: domainPart,
    path,
    tag: groups?.['tag'],
    digest: groups?.['digest'] === undefined ? undefined : parseReferenceDigest(groups['digest']),
  }
}

/** An image id (64 digits, with or without `sha256:`), or a name. */
export type AnyReference =
  | { readonly kind: 'id'; readonly id: Digest }
  | { readonly kind: 'name'; readonly reference: Reference }

/** What stands where an image is expected. A short id parses as a name: who resolves it tries names first. */
export function parseAnyReference(text: string): AnyReference {
  if (isDigest(text)) return { kind: 'id', id: text }
  if (HEX_ID.test(text)) return { kind: 'id', id: `sha256:${text}` }
  return { kind: 'name', reference: parseReference(text) }
}

/** `reference` with another tag and no digest. */
export function withTag(reference: Reference, newTag: string): Reference {
  if (!TAG.test(newTag)) throw invalid('invalid tag format')
  return { ...reference, tag: newTag, digest: undefined }
}

/** `reference`, with `:latest` when it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: DEFAULT_TAG }
    : reference
}

/** Domain and path: `docker.io/library/alpine`. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`
}

/** The full text: `docker.io/library/alpine:3.20`. */
export function formatReference(reference: Reference): string {
  return `${repositoryOf(reference)}${suffixOf(reference)}`
}

/** The repository as people write it: `alpine`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return repositoryOf(reference)
  const official = reference.path.slice(OFFICIAL.length)
  return reference.path.startsWith(OFFICIAL) && !official.includes('/') ? official : reference.path
}

/** The whole reference as people write it: `alpine:3.20`. */
export function formatFamiliar(reference: Reference): string {
  return `${familiarName(reference)}${suffixOf(reference)}`
}

function suffixOf(reference: Reference): string {
  const tagPart = reference.tag === undefined ? '' : `:${reference.tag}`
  const digestPart = reference.digest === undefined ? '' : `@${reference.digest}`
  return `${tagPart}${digestPart}`
}

/** The first component is a domain when it could not be a namespace of Docker Hub. */
function splitDomain(text: string): readonly [string, string] {
  const slash = text.indexOf('/')
  if (slash === -1) return [DEFAULT_DOMAIN, `${OFFICIAL}${text}`]
  const first = text.slice(0, slash)
  const rest = text.slice(slash + 1)

  const isDomain =
    first === 'localhost' || first.includes('.') || first.includes(':') || first.toLowerCase() !== first
  if (!isDomain) return [DEFAULT_DOMAIN, text]
  if (first !== LEGACY_DOMAIN && first !== DEFAULT_DOMAIN) return [first, rest]
  return [DEFAULT_DOMAIN, rest.includes('/') ? rest : `${OFFICIAL}${rest}`]
}

function parseReferenceDigest(text: string): Digest {
  if (isDigest(text)) return text
  if (!text.startsWith('sha256:')) throw invalid('unsupported digest algorithm')
  throw invalid(
    text.length === 'sha256:'.length + 64
      ? 'invalid checksum digest format'
      : 'invalid checksum digest length',
  )
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'REFERENCE_INVALID' })
}

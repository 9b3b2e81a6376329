/**
 * What a client of berth can ask of `POST /build` beyond Docker's parameters: a JSON document, as the parameter
 * `berth-request`, or as the body (of type BUILD_EXTRAS_TYPE) when the context does not come in the body.
 */
import type { BodySchema } from './body-schema.ts'

export const BUILD_EXTRAS_TYPE = 'application/vnd.berth.build+json'

export interface BuildExtras {
  /** Without it, the context is a tar in the body. */
  readonly context?: ContextExtra | undefined
  /** Instead of a path in the context; with the text of the ignore file that goes before those of the context. */
  readonly dockerfile?:
    | { readonly text: string; readonly name: string; readonly ignore?: string | undefined }
    | undefined
  readonly namedContexts?: Readonly<Record<string, ContextExtra>> | undefined
  readonly platforms?: readonly string[] | undefined
  readonly noCacheFilter?: readonly string[] | undefined
  /** `[type[,type][platform]:]key=value` */
  readonly annotations?: readonly string[] | undefined
  /** Entitlements. */
  readonly allow?: readonly string[] | undefined
  readonly cacheFrom?: readonly TypedAttributes[] | undefined
  readonly cacheTo?: readonly TypedAttributes[] | undefined
  readonly outputs?: readonly TypedAttributes[] | undefined
  /** `none`, `min` or `max`. */
  readonly provenance?: string | undefined
  /** Reference of the scanner. */
  readonly sbom?: string | undefined
  /** `build`, `check`, `outline` or `targets`. */
  readonly call?: string | undefined
}

/** Fields by type: directory: path; remote: url; session: name; image: reference; oci-layout: path, reference; empty: none. */
export interface ContextExtra {
  readonly type: string
  /** Absolute, on the engine's host. */
  readonly path?: string | undefined
  readonly url?: string | undefined
  readonly name?: string | undefined
  readonly reference?: string | undefined
}

/** `type=registry,ref=…` as a value. */
export interface TypedAttributes {
  readonly type: string
  readonly attributes: Readonly<Record<string, string>>
}

const text: BodySchema = { type: 'string' }
const texts: BodySchema = { type: 'array', items: text }
const typed: BodySchema = {
  type: 'array',
  items: {
    type: 'object',
    properties: { type: text, attributes: { type: 'object', additionalProperties: text } },
  },
}
const context: BodySchema = {
  type: 'object',
  properties: { type: text, path: text, url: text, name: text, reference: text },
}

export const buildExtrasSchema: BodySchema = {
  type: 'object',
  properties: {
    context,
    dockerfile: { type: 'object', properties: { text, name: text, ignore: text } },
    namedContexts: { type: 'object', additionalProperties: context },
    platforms: texts,
    noCacheFilter: texts,
    annotations: texts,
    allow: texts,
    cacheFrom: typed,
    cacheTo: typed,
    outputs: typed,
    provenance: text,
    sbom: text,
    call: text,
  },
}

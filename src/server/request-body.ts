import type { BodySchema } from '#api/body-schema.ts'
import { schemas } from '#api/generated/schemas.ts'
import { EngineError } from '#base/errors.ts'
import { jsonFault } from '#base/json-syntax.ts'
import type { BodyName } from './route.ts'

/** A document larger than this is no container configuration. */
const MAX_BYTES = 16 * 1024 * 1024
/** Characters; to look for the fault of a larger text would hold up others. */
const MAX_EXPLAINED = 1024 * 1024

export interface JsonRequest extends AsyncIterable<Uint8Array> {
  readonly headers: { readonly 'content-type'?: string | undefined }
}

/**
 * Reads a JSON body as leniently as Docker does: no body is `{}`, keys match in any case, unknown keys are
 * dropped and null means absent; and as strictly: types must match, and nothing may follow the document.
 */
export async function readDocument<T extends object>(request: JsonRequest, name: BodyName): Promise<T> {
  const text = await readText(request)
  if (text.trim() === '') return {} as T
  checkContentType(request.headers['content-type'])
  return decodeDocument<T>(text, name)
}

/** The decoding half of readDocument(). */
export function decodeDocument<T extends object>(text: string, name: BodyName): T {
  return decodeWith<T>(text, schemas[name])
}

/** The same for a document that Docker does not have. */
export function decodeWith<T extends object>(text: string, schema: BodySchema): T {
  const parsed = parseJson(text)
  return (parsed === null ? {} : decode(parsed, schema, '')) as T
}

// One walk does both: names and nulls have to be looked up in the schema anyway, and a validator compiled
// from it would stop the event loop for 50 ms when the first container is created.
function decode(value: unknown, schema: BodySchema, path: string): unknown {
  switch (schema.type) {
    case undefined:
      return value
    case 'object':
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw wrongType(path, 'an object')
      return decodeObject(value, schema, path)
    case 'array':
      if (typeof value === 'string' && schema.orString === true) return [value]
      if (!Array.isArray(value)) throw wrongType(path, 'a list')
      return decodeList(value, schema.items ?? {}, path)
    case 'integer':
      // Go's largest, which its decoder refuses as well.
      if (!Number.isInteger(value) || Math.abs(Number(value)) > MAX_INT64) throw wrongType(path, 'an integer')
      return value
    case 'string':
    case 'number':
    case 'boolean':
      if (typeof value !== schema.type) throw wrongType(path, `a ${schema.type}`)
      return value
  }
}

const MAX_INT64 = 2 ** 63

function decodeList(list: readonly unknown[], items: BodySchema, path: string): unknown[] {
  return list.map((item, index) => decode(item ?? zeroOf(items), items, `${path}[${index}]`))
}

function decodeObject(object: object, schema: BodySchema, path: string): object {
  const { properties, additionalProperties } = schema
  if (properties !== undefined) return decodeMembers(object, properties, path)
  return additionalProperties === undefined ? object : decodeMap(object, additionalProperties, path)
}

function decodeMembers(
  object: object,
  properties: Readonly<Record<string, BodySchema>>,
  path: string,
): object {
  const names = namesOf(properties)
  const members = Object.entries(object).flatMap(([key, member]: [string, unknown]) => {
    const name = Object.hasOwn(properties, key) ? key : names.get(key.toLowerCase())
    const schema = name === undefined ? undefined : properties[name]
    if (name === undefined || schema === undefined || member === null) return []
    return [[name, decode(member, schema, path === '' ? name : `${path}.${name}`)] as const]
  })
  return Object.fromEntries(members)
}

const knownNames = new WeakMap<object, ReadonlyMap<string, string>>()

/** The property names by their lower-case form. */
function namesOf(properties: Readonly<Record<string, BodySchema>>): ReadonlyMap<string, string> {
  const names =
    knownNames.get(properties) ?? new Map(Object.keys(properties).map((name) => [name.toLowerCase(), name]))
  knownNames.set(properties, names)
  return names
}

function decodeMap(object: object, values: BodySchema, path: string): object {
  const members = Object.entries(object).map(([key, member]: [string, unknown]) => {
    if (member === null && values.nullable === true) return [key, null] as const
    return [key, decode(member ?? zeroOf(values), values, `${path}[${JSON.stringify(key)}]`)] as const
  })
  return Object.fromEntries(members)
}

/** What Go's decoder leaves in place of null. */
function zeroOf(schema: BodySchema): unknown {
  switch (schema.type) {
    case 'string':
      return ''
    case 'integer':
    case 'number':
      return 0
    case 'boolean':
      return false
    case 'array':
      return []
    default:
      return {}
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const problem = (text.length > MAX_EXPLAINED ? undefined : jsonFault(text)) ?? 'invalid JSON'
    throw new EngineError('invalid_argument', problem, { code: 'REQUEST_BODY_INVALID', cause })
  }
}

/** All of a body. @throws EngineError invalid_argument when it is larger than any document */
export async function readText(request: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > MAX_BYTES) throw invalidBody(`larger than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function checkContentType(header: string | undefined): void {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase()
  if (type === 'application/json') return
  throw new EngineError(
    'invalid_argument',
    `unsupported Content-Type header (${header ?? ''}): must be 'application/json'`,
    { code: 'CONTENT_TYPE_INVALID' },
  )
}

function wrongType(path: string, wanted: string): EngineError {
  return invalidBody(`${path || 'the document'}: want ${wanted}`)
}

function invalidBody(problem: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', `invalid request body: ${problem}`, {
    code: 'REQUEST_BODY_INVALID',
    cause,
  })
}

import { Ajv, type ValidateFunction } from 'ajv'
import type { BodySchema } from '#api/body-schema.ts'
import { schemas } from '#api/generated/schemas.ts'
import { EngineError } from '#base/errors.ts'
import type { BodyName } from './route.ts'

/** A document larger than this is no container configuration. */
const MAX_BYTES = 16 * 1024 * 1024

const ajv = new Ajv({ logger: false }).addKeyword('orString')
const validators = new Map<BodyName, ValidateFunction>()

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
  const parsed = parseJson(text)
  const document = parsed === null ? {} : normalise(parsed, schemas[name])
  const validate = validatorFor(name)
  if (!validate(document)) {
    const [problem] = validate.errors ?? []
    const where = problem?.instancePath.slice(1).replaceAll('/', '.') || 'body'
    throw invalidBody(`${where} ${problem?.message ?? 'is invalid'}`)
  }
  return document as T
}

function validatorFor(name: BodyName): ValidateFunction {
  const validate = validators.get(name) ?? ajv.compile(schemas[name])
  validators.set(name, validate)
  return validate
}

function normalise(value: unknown, schema: BodySchema): unknown {
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined ? value : value.map((item) => normalise(item ?? zeroOf(items), items))
  }
  if (typeof value === 'string' && schema.orString === true) return [value]
  if (typeof value !== 'object' || value === null) return value
  if (schema.additionalProperties !== undefined) return normaliseMap(value, schema.additionalProperties)
  return schema.properties === undefined ? value : normaliseObject(value, schema.properties)
}

function normaliseObject(value: object, properties: Readonly<Record<string, BodySchema>>): object {
  const names = new Map(Object.keys(properties).map((name) => [name.toLowerCase(), name]))
  const members = Object.entries(value).flatMap(([key, member]: [string, unknown]) => {
    const name = Object.hasOwn(properties, key) ? key : names.get(key.toLowerCase())
    const schema = name === undefined ? undefined : properties[name]
    if (name === undefined || schema === undefined || member === null) return []
    return [[name, normalise(member, schema)] as const]
  })
  return Object.fromEntries(members)
}

function normaliseMap(value: object, values: BodySchema): object {
  const members = Object.entries(value).map(([key, member]: [string, unknown]) => {
    if (member === null && values.nullable === true) return [key, null] as const
    return [key, normalise(member ?? zeroOf(values), values)] as const
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
    throw invalidBody('invalid JSON', cause)
  }
}

async function readText(request: AsyncIterable<Uint8Array>): Promise<string> {
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

function invalidBody(problem: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', `invalid request body: ${problem}`, {
    code: 'REQUEST_BODY_INVALID',
    cause,
  })
}

import { existsSync, readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'
import { parse } from 'yaml'

type Schema = Readonly<Record<string, unknown>>

interface Operation {
  readonly operationId: string
  readonly responses: Readonly<Record<string, { readonly schema?: Schema }>>
}

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>

/** Where Docker's description of its API may lie; it is not part of this repository. */
const candidates = [
  process.env['DOCKER_API_DESCRIPTION'],
  new URL('../../../shared/reference/docker-engine-api-1.55.yaml', import.meta.url).pathname,
]

/** Docker's own description of the API, as a judge of our answers. */
export class DockerDescription {
  readonly #paths: Paths
  readonly #ajv = new Ajv({ strict: false, validateFormats: false, logger: false })
  readonly #validators = new Map<string, ValidateFunction | undefined>()

  private constructor(text: string) {
    const { definitions, paths } = parse(text) as { definitions: Schema; paths: Paths }
    this.#paths = paths
    this.#ajv.addSchema({ $id: 'docker', definitions: nullable(definitions) as Schema })
  }

  /** Undefined when it is not on this machine. */
  static load(): DockerDescription | undefined {
    const found = candidates.find((path) => path !== undefined && existsSync(path))
    return found === undefined ? undefined : new DockerDescription(readFileSync(found, 'utf8'))
  }

  /** Every operation with its method and path. */
  operations(): { readonly operation: string; readonly method: string; readonly path: string }[] {
    return Object.entries(this.#paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => ({
        operation: operationId,
        method: method.toUpperCase(),
        path,
      })),
    )
  }

  /** What is wrong with a JSON body; undefined when nothing is, or nothing is said about it. */
  complaint(method: string, path: string, status: number, body: unknown): string | undefined {
    const validate = this.#validator(method, path, status)
    if (validate === undefined || validate(withoutNulls(body))) return undefined
    return this.#ajv.errorsText(validate.errors)
  }

  /** The path of the description that a request's path is one of; without a query. */
  templateOf(method: string, path: string): string | undefined {
    return Object.keys(this.#paths).find(
      (template) =>
        this.#paths[template]?.[method.toLowerCase()] !== undefined && patternOf(template).test(path),
    )
  }

  #validator(method: string, path: string, status: number): ValidateFunction | undefined {
    const key = `${method} ${path} ${status}`
    if (!this.#validators.has(key)) {
      const schema = this.#paths[path]?.[method.toLowerCase()]?.responses[status]?.schema
      this.#validators.set(
        key,
        schema === undefined ? undefined : this.#ajv.compile(nullable(schema) as Schema),
      )
    }
    return this.#validators.get(key)
  }
}

/** `{name}` of an image may hold slashes; what stands there as a word of its own comes first in the description. */
function patternOf(template: string): RegExp {
  const source = template.replace(/[.]/g, '\\.').replace(/\{(\w+)\}/g, '.+')
  return new RegExp(`^${source}$`)
}

/** Docker answers null here as well, whatever its description says; what it means is on the right. */
const nulls = new Map<string, unknown>([
  ['Labels', {}],
  ['Options', {}],
  ['Volumes', {}],
  ['MemorySwappiness', 0],
  ['PortBindings', {}],
  ['ExitCode', 0],
])

function withoutNulls(document: unknown): unknown {
  if (Array.isArray(document)) return document.map(withoutNulls)
  if (typeof document !== 'object' || document === null) return document
  return Object.fromEntries(
    Object.entries(document)
      .filter(([name, value]) => !isOfPlugin(name, value))
      .map(([name, value]) => [name, withoutNulls(value ?? nulls.get(name) ?? value)]),
  )
}

/** The status of a volume is handed on as its plugin says it, not only objects of objects. */
function isOfPlugin(name: string, value: unknown): boolean {
  return name === 'Status' && typeof value === 'object'
}

/**
 * OpenAPI 2 as JSON Schema: references into one document, and `x-nullable` as a type. Docker writes an empty list
 * as null in many places that its description calls a list, and clients read it so.
 */
function nullable(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(nullable)
  if (typeof schema !== 'object' || schema === null) return schema
  const { 'x-nullable': isNullable, ...rest } = schema as Schema
  const converted = Object.fromEntries(
    Object.entries({ ...rest, ...requiredOf(rest) })
      .filter(([key]) => key !== 'example' && key !== 'examples' && key !== 'description')
      .map(([key, value]) => [
        key,
        key === '$ref' && typeof value === 'string' ? `docker${value}` : nullable(value),
      ]),
  )
  return isNullable === true || rest['type'] === 'array'
    ? { anyOf: [converted, { type: 'null' }] }
    : converted
}

/** The description asks for a member that it does not have (`UnpackedSize` of an image manifest): nobody can. */
function requiredOf({ required, properties }: Schema): Schema {
  if (!Array.isArray(required) || typeof properties !== 'object' || properties === null) return {}
  return { required: required.filter((name) => typeof name === 'string' && Object.hasOwn(properties, name)) }
}

/**
 * The part of JSON Schema that request bodies need. `orString`: one string stands for a list of one.
 * `nullable`: null is a value of its own and not the absence of one.
 */
export interface BodySchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly properties?: Readonly<Record<string, BodySchema>>
  readonly additionalProperties?: BodySchema
  readonly items?: BodySchema
  readonly orString?: true
  readonly nullable?: true
}

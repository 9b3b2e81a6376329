import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { type Node, type Plain, nodeOf, plainOf } from '../document/node.ts'
import { parseDocuments } from '../document/parse.ts'
import { project as projectShape } from '../schema/project.ts'
import { type ObjectShape, type Shape, any, list, map, object, text } from '../schema/shape.ts'
import { projectOf } from './memory.fixture.ts'
import { merge } from './merge.ts'

/** The message of the error that loading ends with. */
function problem(content: string, others: Readonly<Record<string, string>> = {}): string {
  try {
    projectOf(content, others)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return ''
}

describe('problems of project files', () => {
  it('come with file, line and column, all at once, with the nearest key', () => {
    assert.equal(
      problem('services:\n  web:\n    imagee: x\n    ports: 80\n    privileged: maybe\n'),
      [
        '/p/compose.yaml:3:5: services.web: unknown key "imagee" (did you mean image?)',
        '/p/compose.yaml:4:12: services.web.ports must be a list, not 80',
        '/p/compose.yaml:5:17: services.web.privileged must be true or false, not "maybe"',
      ].join('\n'),
    )
  })

  it('name what is missing where it is used', () => {
    assert.equal(
      problem(
        'services:\n  web:\n    image: w\n    networks: [front]\n    depends_on:\n      db:\n        condition: service_healthy\n',
      ),
      [
        '/p/compose.yaml:4:16: service "web" refers to undefined network front',
        '/p/compose.yaml:6:7: service "web" depends on undefined service db',
      ].join('\n'),
    )
    assert.match(
      problem('services:\n  a: {image: a, depends_on: [b]}\n  b: {image: b, depends_on: [a]}\n'),
      /compose\.yaml:2:30: dependency cycle detected: a -> b -> a/,
    )
    assert.match(
      problem('services:\n  web: {image: "${NO:?set it}"}\n'),
      /compose\.yaml:2:16: services\.web\.image: required variable NO is missing a value: set it/,
    )
  })

  it('name the second of two services whose containers have one name, when both are enabled', () => {
    const second = (profile: string): string =>
      `services:\n  a: {image: a, container_name: x}\n  b: {image: b, ${profile}container_name: x}\n`
    assert.equal(
      problem(second('')),
      '/p/compose.yaml:3:17: services.b: container name "x" is already in use by service a',
    )
    assert.equal(problem(second('profiles: [p], ')), '')
  })

  it('name the file that is to blame', () => {
    const others = { '/p/base.yaml': 'services:\n  base:\n    image: 12\n' }
    assert.match(
      problem('services:\n  web: {extends: {file: base.yaml, service: base}}\n', others),
      /^\/p\/base\.yaml:3:12: /,
    )
    assert.match(problem('include: [base.yaml]\n', others), /^\/p\/base\.yaml:3:12: /)
  })

  it('say what YAML does not allow', () => {
    assert.equal(
      problem('services:\n  web: {image: w}\n  web: {image: x}\n'),
      '/p/compose.yaml:3:3: this key stands here twice',
    )
    assert.match(problem('a: &a [*a]\n'), /the anchor &a contains itself/)
    const bomb = [
      'x0: &x0 [1,1,1,1,1,1,1,1,1,1]',
      ...Array.from(
        { length: 9 },
        (_, i) => `x${i + 1}: &x${i + 1} [${Array.from({ length: 10 }, () => `*x${i}`).join(',')}]`,
      ),
    ]
    assert.match(problem(bomb.join('\n')), /aliases make this more than/)
  })
})

describe('merge()', () => {
  const shape: ObjectShape = object({
    one: text(),
    many: list(text()),
    once: list(text(), { merge: 'unique' }),
    by: map(text()),
  })
  const place = { file: 'x', line: 1, column: 1 }
  const values = fc.record(
    {
      one: fc.string(),
      many: fc.array(fc.string()),
      once: fc.uniqueArray(fc.string()),
      by: fc.dictionary(fc.string(), fc.string()),
    },
    { requiredKeys: [] },
  )
  const node = (value: Plain): Node => nodeOf(value, place)
  const merged = (...all: readonly Plain[]): Plain =>
    plainOf(all.map(node).reduce((base, other) => merge(base, other, shape)))

  it('does the same whichever pair is merged first', () => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const left = merged(merged(a, b), c)
        const right = merged(a, merged(b, c))
        assert.deepEqual(left, right)
      }),
    )
  })

  it('changes nothing when there is nothing to merge', () => {
    fc.assert(
      fc.property(values, (a) => {
        assert.deepEqual(merged(a, {}), plainOf(node(a)))
        assert.deepEqual(merged({}, a), plainOf(node(a)))
      }),
    )
  })
})

const ORACLE = join(import.meta.dirname, '../../../../shared/reference/compose-spec.schema.json')
const found = [ORACLE, '/work/shared/reference/compose-spec.schema.json'].find(existsSync)

describe(
  'the tables of the format, beside the schema of the Compose specification',
  { skip: found === undefined && 'there is no copy of it' },
  () => {
    const schema = found === undefined ? {} : (JSON.parse(readFileSync(found, 'utf8')) as Schema)

    it('have every key, and no other', () => {
      // `external: {name: X}` is read as a short form.
      const theirs = keysOfSchema(schema, schema).filter((path) => !path.endsWith('.external.name'))
      assert.deepEqual(keysOf(projectShape), theirs)
    })

    it('take what the schema takes, in all the files of the corpus', () => {
      const validate = new Ajv({ strict: false, validateFormats: false }).compile({
        ...schema,
        $schema: undefined,
      })
      const corpus = join(import.meta.dirname, '../../../test/conformance/compose-corpus')
      const refused: string[] = []
      for (const name of readdirSync(corpus).filter(
        (file) => file.endsWith('.yaml') && !file.startsWith('error-'),
      )) {
        const content = readFileSync(join(corpus, name), 'utf8')
        // Tags, and variables in the place of numbers, mean nothing to it; Compose takes what is empty for what is missing, and counts what is there twice once.
        if (/!(?:reset|override)|interpolation|merge-null|repeated/.test(name + content)) continue
        for (const document of parseDocuments(content, name)) {
          if (!validate(plainOf(document))) refused.push(`${name}: ${JSON.stringify(validate.errors?.[0])}`)
        }
      }
      assert.deepEqual(refused, [])
    })
  },
)

interface Schema {
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly oneOf?: readonly Schema[]
  readonly definitions?: Readonly<Record<string, Schema>>
  readonly $defs?: Readonly<Record<string, Schema>>
}

/** Every path of keys; `*` for names and items. */
function keysOf(shape: Shape, path = ''): readonly string[] {
  switch (shape.kind) {
    case 'object':
      return Object.entries(shape.fields)
        .flatMap(([key, field]) => [`${path}.${key}`, ...keysOf(field, `${path}.${key}`)])
        .toSorted()
    case 'map':
      return keysOf(shape.value, `${path}.*`)
    case 'list':
      return keysOf(shape.item, `${path}.*`)
    case 'either':
      return shape.shapes.flatMap((each) => keysOf(each, path)).toSorted()
    default:
      return shape === any ? [] : []
  }
}

function keysOfSchema(schema: Schema, root: Schema, path = ''): readonly string[] {
  const definition = schema.$ref?.split('/').at(-1)
  if (definition !== undefined)
    return keysOfSchema((root.definitions ?? root.$defs ?? {})[definition] ?? {}, root, path)
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, each]) => [
    `${path}.${key}`,
    ...keysOfSchema(each, root, `${path}.${key}`),
  ])
  const named = Object.entries(schema.patternProperties ?? {}).filter(([pattern]) => pattern !== '^x-')
  const below = [...named.map(([, each]) => each), ...(schema.items === undefined ? [] : [schema.items])]
  const all = [
    ...own,
    ...below.flatMap((each) => keysOfSchema(each, root, `${path}.*`)),
    ...(schema.oneOf ?? []).flatMap((each) => keysOfSchema(each, root, path)),
  ]
  return [...new Set(all)].toSorted()
}

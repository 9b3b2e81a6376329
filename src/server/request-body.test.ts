import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { schemas } from '#api/generated/schemas.ts'
import { isKind, messageOf } from '#base/errors.ts'
import { chunks } from '#test/support/chunks.ts'
import { decodeDocument, readDocument, type JsonRequest } from './request-body.ts'

function request(contentType: string | undefined, ...texts: string[]): JsonRequest {
  return Object.assign(chunks(texts), { headers: { 'content-type': contentType } })
}

const refused = (error: unknown): boolean => isKind(error, 'invalid_argument')

describe('readDocument()', () => {
  it('takes no body for an empty document, whatever its type', async () => {
    assert.deepEqual(await readDocument(request(undefined), 'ExecStart'), {})
    assert.deepEqual(await readDocument(request('text/plain', ' \n'), 'ExecStart'), {})
  })

  it('wants application/json, with any parameters', async () => {
    const body = await readDocument(
      request('Application/JSON; charset=utf-8', '{"Tty"', ':true}'),
      'ExecStart',
    )
    assert.deepEqual(body, { Tty: true })
    for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
      await assert.rejects(readDocument(request(type, '{}'), 'ExecStart'), /must be 'application\/json'/)
    }
  })

  it('refuses a second document, broken text and endless text', async () => {
    for (const [text, problem] of [
      ['{}{}', 'unexpected content after JSON'],
      ['{', 'invalid JSON: unexpected EOF'],
      ['Tty', "invalid JSON: invalid character 'T' looking for beginning of value"],
      ['x'.repeat(2 ** 21), 'invalid JSON'],
    ] as const) {
      const refusal = (error: unknown): boolean => refused(error) && messageOf(error) === problem
      await assert.rejects(readDocument(request('application/json', text), 'ExecStart'), refusal)
    }
    const megabyte = ' '.repeat(2 ** 20)
    const endless = request('application/json', ...Array.from({ length: 17 }, () => megabyte))
    await assert.rejects(readDocument(endless, 'ExecStart'), /larger than/)
  })
})

describe('decodeDocument()', () => {
  it('matches keys in any case, the exact one first, and drops unknown ones', () => {
    const text = '{"image":"demo","CMD":["a"],"hostconfig":{"networkMODE":"host"},"Colour":"red"}'
    assert.deepEqual(decodeDocument(text, 'ContainerCreate'), {
      Image: 'demo',
      Cmd: ['a'],
      HostConfig: { NetworkMode: 'host' },
    })
  })

  it('takes null for absent, in lists for the zero value, and keeps it in maps of lists', () => {
    const text =
      '{"Cmd":null,"Env":["A=1",null],"Labels":{"a":null},"HostConfig":{"PortBindings":{"80/tcp":null,"81/tcp":[]}}}'
    assert.deepEqual(decodeDocument(text, 'ContainerCreate'), {
      Env: ['A=1', ''],
      Labels: { a: '' },
      HostConfig: { PortBindings: { '80/tcp': null, '81/tcp': [] } },
    })
    assert.deepEqual(decodeDocument('null', 'ContainerCreate'), {})
  })

  it('takes members whose type is a name of its own in the description', () => {
    const HostConfig = { Mounts: [{ Type: 'volume', Source: 'v', Target: '/v' }] }
    assert.deepEqual(decodeDocument(JSON.stringify({ HostConfig }), 'ContainerCreate'), { HostConfig })
  })

  it('takes one string for a command of one word', () => {
    assert.deepEqual(decodeDocument('{"Cmd":"ls","Entrypoint":"sh"}', 'ContainerCreate'), {
      Cmd: ['ls'],
      Entrypoint: ['sh'],
    })
  })

  it('keeps the case of map keys, also of those that JavaScript treats as special', () => {
    const decoded: { Labels?: object } = decodeDocument(
      '{"Labels":{"__proto__":"x","A":"1"}}',
      'ContainerCreate',
    )
    assert.deepEqual(Object.entries(decoded.Labels ?? {}), [
      ['__proto__', 'x'],
      ['A', '1'],
    ])
    assert.equal(Object.getPrototypeOf(decoded.Labels), Object.prototype)
  })

  it('refuses a wrong type and says where', () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['{"Image":1}', /Image: want a string/],
      ['{"Tty":"yes"}', /Tty: want a boolean/],
      ['{"HostConfig":{"Memory":"1g"}}', /HostConfig\.Memory: want an integer/],
      ['{"HostConfig":{"Memory":1.5}}', /HostConfig\.Memory: want an integer/],
      ['{"Env":{"A":"1"}}', /Env: want a list/],
      ['{"Env":"A=1"}', /Env: want a list/],
      ['{"Cmd":["a",1]}', /Cmd\[1\]: want a string/],
      ['{"Labels":{"a":1}}', /Labels\["a"\]: want a string/],
      ['[]', /the document: want an object/],
      ['"x"', /the document: want an object/],
    ]
    for (const [text, message] of wrong) {
      assert.throws(() => decodeDocument(text, 'ContainerCreate'), { kind: 'invalid_argument', message })
    }
  })

  it('lets pass exactly what the schema lets pass', () => {
    const ajv = new Ajv({ logger: false }).addKeyword('orString')
    const member = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.double({ noInteger: true, noNaN: true, noDefaultInfinity: true }),
    )
    const value = fc.oneof(member, fc.array(member), fc.dictionary(fc.string(), member))
    for (const name of ['ContainerExec', 'VolumeCreate', 'NetworkConnect'] as const) {
      const valid = ajv.compile(schemas[name])
      const key = fc.constantFrom(...Object.keys(schemas[name].properties))
      fc.assert(
        fc.property(fc.dictionary(key, value), (document) => {
          fc.pre(typeof document['Cmd'] !== 'string')
          const wanted = valid(document)
          try {
            assert.ok(decodeDocument(JSON.stringify(document), name))
            assert.ok(wanted)
          } catch (error) {
            assert.ok(refused(error) && !wanted)
          }
        }),
      )
    }
  })

  it('survives nesting as deep as a body can be', () => {
    const depth = 500_000
    const nested = `{"Unknown":${'['.repeat(depth)}${']'.repeat(depth)}}`
    try {
      assert.deepEqual(decodeDocument(nested, 'ContainerCreate'), {})
    } catch (error) {
      assert.ok(refused(error))
    }
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseDotenv } from './dotenv.ts'
import { TemplateError, evaluate, parseTemplate, variablesIn } from './template.ts'

const known: Readonly<Record<string, string>> = { A: 'a', EMPTY: '' }
const lookup = (name: string): string | undefined => (Object.hasOwn(known, name) ? known[name] : undefined)
const expand = (text: string): string => evaluate(parseTemplate(text), lookup, () => undefined)

describe('templates', () => {
  it('know defaults, alternatives and requirements, with and without a colon', () => {
    assert.equal(expand('$A-${A} ${NO:-d} ${NO-d} ${EMPTY:-d} [${EMPTY-d}]'), 'a-a d d d []')
    assert.equal(expand('[${NO:+r}] [${EMPTY:+r}] ${EMPTY+r} ${A:+r}'), '[] [] r r')
    assert.equal(expand('${A:?needed}'), 'a')
    assert.throws(
      () => expand('${EMPTY:?needed}'),
      new TemplateError('required variable EMPTY is missing a value: needed'),
    )
    assert.equal(expand('${NO:-${ALSO:-$A}x}'), 'ax')
  })

  it('tell of variables that are not set, and have no default', () => {
    const missing: string[] = []
    evaluate(parseTemplate('$NO ${ALSO} ${WITH:-d} $A'), lookup, (name) => missing.push(name))
    assert.deepEqual(missing, ['NO', 'ALSO'])
    assert.deepEqual(
      variablesIn(parseTemplate('${A:-${B}}')).map(({ name }) => name),
      ['A', 'B'],
    )
  })

  it('refuse a dollar that begins nothing', () => {
    for (const text of ['$', '${', '${}', '${1}', '${A', '${A!b}', '$ x']) {
      assert.throws(() => expand(text), TemplateError, text)
    }
  })

  it('leave any text alone whose dollars are doubled', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) =>
        assert.equal(expand(text.replaceAll('$', '$$$$')), text),
      ),
    )
  })

  it('end in a text or in a TemplateError, whatever is given', () => {
    const pieces = fc.array(fc.constantFrom('$', '{', '}', ':', '-', '?', '+', 'A', 'x', '$$', '${A', ' '))
    fc.assert(
      fc.property(pieces, (parts) => {
        try {
          expand(parts.join(''))
        } catch (error) {
          assert.ok(error instanceof TemplateError)
        }
      }),
    )
  })
})

describe('parseDotenv()', () => {
  const read = (text: string): object => Object.fromEntries(parseDotenv(text, '.env', lookup))

  it('knows comments, quotes, escapes and export', () => {
    assert.deepEqual(read('# c\nexport X=1 # one\nY: two\nZ="a\\tb\\"$X"\nW=\'$X\\n\'\nV=a#b\n\nU=\n'), {
      X: '1',
      Y: 'two',
      Z: 'a\tb"1',
      W: '$X\\n',
      V: 'a#b',
      U: '',
    })
  })

  it('takes a bare name from outside, or leaves it out', () => {
    assert.deepEqual(read('A\nNOPE\n'), { A: 'a' })
  })

  it('prefers what is outside to the lines before, and these to the files before', () => {
    const earlier = (name: string): string => `earlier ${name}`
    assert.deepEqual(Object.fromEntries(parseDotenv('A=1\nB=2\nC=$A $B $D\n', '.env', lookup, earlier)), {
      A: '1',
      B: '2',
      C: 'a 2 earlier D',
    })
  })

  it('names file and line of what it does not understand', () => {
    assert.throws(() => read('A=1\nB="open\n'), /^EngineError: \.env:2:3: unterminated quoted value "open$/)
    assert.throws(() => read('A=1\n=x\n'), /\.env:2:1: unexpected character "="/)
    assert.throws(() => read('A B\n'), /\.env:1:3: unexpected character "B" in variable name "A"/)
  })

  it('reads back any value between single quotes', () => {
    const values = fc.string().filter((text) => !/['\\\r]/.test(text))
    fc.assert(fc.property(values, (text) => assert.deepEqual(read(`X='${text}'`), { X: text })))
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { expandWord } from './expansion.ts'
import { SyntaxFailure } from './failure.ts'

const variables: Readonly<Record<string, string>> = {
  a: 'hello.tar.gz',
  b: 'bin:lib',
  empty: '',
  blanks: 'one  two',
  lines: 'x\ny',
  é: 'accent',
}
const lookup = (name: string): string | undefined => variables[name]

function expand(word: string, options = {}): string {
  return expandWord(word, lookup, options).text
}

function fails(word: string): string {
  try {
    expand(word)
  } catch (error) {
    assert.ok(error instanceof SyntaxFailure)
    return error.message
  }
  assert.fail(`${word} expanded`)
}

describe('expandWord()', () => {
  // What BuildKit of Docker 28.5 gives for the same words, but for the comments.
  const table: Readonly<Record<string, string>> = {
    plain: 'plain',
    $a: 'hello.tar.gz',
    '${a}': 'hello.tar.gz',
    $a$b: 'hello.tar.gzbin:lib',
    $ax: '',
    $: '$',
    a$: 'a$',
    '"$"': '$',
    $1x: 'x',
    '$@x': 'x',
    $$: '',
    $é: 'accent',
    '\\$a': '$a',
    "'$a'": '$a',
    '"$a"': 'hello.tar.gz',
    '"\\$a"': '$a',
    '"q \'x\'"': "q 'x'",
    'a\\ b': 'a b',
    'x\\y': 'xy',
    '"a\\nb\\x"': 'a\\nb\\x',
    'a"b c"\'d e\'': 'ab cd e',
    '\\"x': '"x',
    "'a'\\''b'": "a'b",
    '${empty:-d}': 'd',
    '${empty-d}': '',
    '${none:-d$a}': 'dhello.tar.gz',
    '${none-"x y"}': 'x y',
    '${none:-${none:-deep}}': 'deep',
    '${empty:+y}': '',
    '${empty+y}': 'y',
    '${none+y}': '',
    '${a:+"$b"}': 'bin:lib',
    '${a:?e}': 'hello.tar.gz',
    '${empty?e}': '',
    '${a#*.}': 'tar.gz',
    '${a##*.}': 'gz',
    '${a%.*}': 'hello.tar',
    '${a%%.*}': 'hello',
    '${a#x}': 'hello.tar.gz',
    '${a#\\*}': 'hello.tar.gz',
    '${a/l/L}': 'heLlo.tar.gz',
    '${a//l/L}': 'heLLo.tar.gz',
    '${a//?/x}': 'xxxxxxxxxxxx',
    '${a/h*o/Y}': 'Y.tar.gz',
    '${a/./}': 'hellotar.gz',
    '${a///r}': 'rhrerlrlror.rtrarrr.rgrzr',
    '${a/h/\\$x}': '\\$xello.tar.gz',
    '${b/:/\\/}': 'bin\\/lib',
    '${empty/x/y}': '',
    '${lines/x*/-}': '-\ny',
    '': '',
  }
  for (const [word, expected] of Object.entries(table))
    it(`gives ${JSON.stringify(expected)} for ${word}`, () => assert.equal(expand(word), expected))

  it('takes the escape of the file', () => {
    assert.equal(expand('c:\\$a', { escape: '`' }), 'c:\\hello.tar.gz')
    assert.equal(expand('`$a', { escape: '`' }), '$a')
  })

  it('leaves quotes alone where they are text', () => {
    assert.equal(expand(`"$a" '$a' \\$a`, { quotesAreText: true }), `"hello.tar.gz" 'hello.tar.gz' $a`)
  })

  it('keeps what is not set, if asked', () => {
    const options = { keepUnset: true }
    for (const word of ['$none', '${none}', '${none:-x}', '${none#x}', '${none##x}', '${none//a/b}'])
      assert.equal(expand(word, options), word)
  })

  it('splits the result at blanks that were not quoted', () => {
    assert.deepEqual(expandWord('$blanks "$blanks" a\\ b \'c d\'', lookup).words, [
      'one',
      'two',
      'one  two',
      'a b',
      'c d',
    ])
  })

  it('tells which variables were there and which not', () => {
    const { used, missing } = expandWord('$a ${none:-$b} $none2', lookup)
    assert.deepEqual([...used].toSorted(), ['a', 'b'])
    assert.deepEqual([...missing].toSorted(), ['none', 'none2'])
  })

  const errors: Readonly<Record<string, string>> = {
    '${none:?nope}': 'none: nope',
    '${none?}': 'none: is not allowed to be unset',
    '${empty:?}': 'empty: is not allowed to be empty',
    '${a^x}': 'unsupported modifier (^) in substitution',
    '${a:#x}': 'unsupported modifier (:#) in substitution',
    '${': "syntax error: missing '}'",
    '${a': "syntax error: missing '}'",
    '${a:': "syntax error: missing '}'",
    '${a:-b': "syntax error: missing '}'",
    '${a/b}': "syntax error: missing '/' in ${}",
    '${}': 'syntax error: bad substitution',
    '${:-x}': 'syntax error: bad substitution',
    '${{a}}': 'syntax error: bad substitution',
    "'x": 'unexpected end of statement while looking for matching single-quote',
    '"x': 'unexpected end of statement while looking for matching double-quote',
    '${a/\\./-}': "invalid pattern (\\.) in substitution: invalid escape '\\.'",
  }
  for (const [word, message] of Object.entries(errors))
    it(`refuses ${word}`, () =>
      assert.equal(fails(word), `failed to process ${JSON.stringify(word)}: ${message}`))

  it('refuses substitutions nested without end, instead of running out of stack', () => {
    assert.match(fails('${x:-'.repeat(20_000)), /nested too deeply/)
  })

  it('refuses what grows without end', () => {
    const long = 'x'.repeat(100_000)
    const fails = (word: string): void => assert.throws(() => expandWord(word, () => long), SyntaxFailure)
    fails('$x'.repeat(11))
    fails('"$x"'.repeat(11))
    fails('${x//x/$x}')
    fails(`\${x//${'*x'.repeat(500)}y/z}`)
  })

  it('never fails but with SyntaxFailure', () => {
    const piece = fc.constantFrom(
      '$',
      '{',
      '}',
      ':',
      '-',
      '+',
      '?',
      '#',
      '%',
      '/',
      '\\',
      '"',
      "'",
      ' ',
      'a',
      'b',
      '*',
      '`',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        try {
          expand(pieces.join(''))
        } catch (error) {
          assert.ok(error instanceof SyntaxFailure, String(error))
        }
      }),
      { numRuns: 3000 },
    )
  })
})

describe('expandWord() beside an oracle', () => {
  /** Words as trees: a text for the reader, and what it means, told in another way. */
  interface Node {
    readonly text: string
    readonly value: string
  }
  const literal: fc.Arbitrary<Node> = fc
    .stringMatching(/^[xyz.:]{1,4}$/)
    .map((text) => ({ text, value: text }))
  const name = fc.constantFrom('a', 'b', 'empty', 'none')
  const { word } = fc.letrec<{ word: Node; part: Node }>((tie) => ({
    word: fc.array(tie('part'), { maxLength: 4 }).map((parts) => ({
      text: parts.map(({ text }) => text).join(''),
      value: parts.map(({ value }) => value).join(''),
    })),
    part: fc.oneof(
      { maxDepth: 3 },
      literal,
      name.map((n) => ({ text: `\${${n}}`, value: variables[n] ?? '' })),
      literal.map(({ text }) => ({ text: `'$${text}'`, value: `$${text}` })),
      literal.map(({ text }) => ({ text: `\\$${text}`, value: `$${text}` })),
      fc.tuple(name, fc.constantFrom('-', ':-', '+', ':+'), tie('word')).map(([n, op, w]) => {
        const value = variables[n]
        const set = value !== undefined && !(op.startsWith(':') && value === '')
        const without = set ? (value ?? '') : w.value
        return { text: `\${${n}${op}${w.text}}`, value: op.endsWith('-') ? without : set ? w.value : '' }
      }),
      tie('word')
        .map(({ text, value }) => ({ text: `"${text}"`, value }))
        .filter(({ text }) => !/['"\\]/.test(text.slice(1, -1))),
    ),
  }))

  it('means the same', () => {
    fc.assert(
      fc.property(word, ({ text, value }) => assert.equal(expand(text), value)),
      { numRuns: 2000 },
    )
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EngineError } from '#base/errors.ts'
import { modelOf } from './model.fixture.ts'
import { type Dockerfile, parseDockerfile } from './parse.ts'
import { printDockerfile } from './print.ts'
import type { Position, Range } from './source.ts'

const pieces = [
  'FROM from AS RUN COPY ADD ENV ARG LABEL CMD ENTRYPOINT EXPOSE VOLUME USER WORKDIR SHELL ONBUILD HEALTHCHECK NONE',
  'STOPSIGNAL MAINTAINER FORM <<EOF <<-EOF EOF 3<<E $ ${a } = a=b a [ ] -- --from=a --mount= --platform=linux --link',
  '--mount=type=cache,target=/x --chown=a:b --interval=5s 80/tcp scratch / \' " \\ ` # é \0 \ud800',
].flatMap((words) => words.split(' '))
const spaced = [
  ' ',
  ' ',
  '\n',
  '\n',
  '\r\n',
  '\t',
  '\\\n',
  '`\n',
  '\f',
  '\u0085',
  '\u00a0',
  '\ufeff',
  '\nEOF\n',
]
spaced.push('["a", "b"]', 'b c', "<<'E F'", '#\n', '# escape=`\n', '# check=skip=all\n', '# comment\n')
const text = fc
  .array(
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...pieces, ...spaced) }, fc.string({ maxLength: 5 })),
    {
      maxLength: 30,
    },
  )
  .map((parts) => parts.join(''))

/** Files that mostly parse: an instruction per line, with arguments of all kinds. */
const word = fc.oneof(
  fc.stringMatching(/^[a-z$./:=-]{1,6}$/),
  fc.constantFrom(
    '"a b"',
    "'x y'",
    'a\\ b',
    '${a:-b}',
    'k=v',
    '[',
    '["x"',
    '-- x',
    '--y',
    '\\\\',
    '`',
    '\\x',
    '<<',
    '< <',
  ),
)
const rest = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(' '))
const line = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(
        'RUN',
        'cmd',
        'ENTRYPOINT',
        'User',
        'WORKDIR',
        'EXPOSE',
        'VOLUME',
        'MAINTAINER',
        'ONBUILD RUN',
      ),
      rest,
    )
    .map(([k, r]) => `${k} ${r}`),
  fc
    .tuple(
      fc.constantFrom('CMD', 'RUN', 'SHELL', 'VOLUME'),
      fc.array(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
    )
    .map(([k, a]) => `${k} ${JSON.stringify(a)}`),
  fc
    .tuple(
      fc.constantFrom('COPY', 'ADD', 'ONBUILD COPY'),
      fc.constantFrom('', '--chown="a b" ', '--exclude=a\\ b --exclude=c '),
      rest,
    )
    .map(([k, f, r]) => `${k} ${f}${r} /d`),
  fc
    .tuple(
      fc.constantFrom('RUN', 'COPY', 'ADD', 'ONBUILD RUN'),
      fc.constantFrom('EOF', '-EOF', "'E F'", '"EOF"'),
      fc.array(fc.stringMatching(/^\t?[a-z$ ]{0,6}$/), { maxLength: 3 }),
    )
    .map(
      ([k, name, body]) =>
        `${k} <<${name} /d\n${[...body, name.replace(/^-/, '').replaceAll(/['"]/g, '')].join('\n')}`,
    ),
  fc
    .tuple(
      fc.constantFrom('ENV', 'LABEL', 'ARG'),
      fc.array(fc.stringMatching(/^[a-z]{1,3}=[a-z$"'\\]{0,3}$/), { minLength: 1, maxLength: 3 }),
    )
    .map(([k, p]) => `${k} ${p.join(' ')}`),
  fc.constantFrom(
    'HEALTHCHECK --interval=5s CMD a  b',
    'HEALTHCHECK NONE',
    'FROM a AS b',
    'FROM --platform=$X scratch',
    '# a comment',
    'RUN a \\\n  b \\\n\n # c\n c',
    'ENV a b  c',
  ),
)
const likely = fc
  .tuple(fc.constantFrom('', '# escape=`\n', '# check=error=true\n'), fc.array(line, { maxLength: 8 }))
  .map(([head, lines]) => `${head}ARG X=1\nFROM a\n${lines.join('\n')}\n`)

function parsed(given: string): Dockerfile | undefined {
  try {
    return parseDockerfile(given)
  } catch (error) {
    assert.ok(error instanceof EngineError, `${String(error)}\n${error instanceof Error ? error.stack : ''}`)
    assert.equal(error.kind, 'invalid_argument')
    const { line: number, column, end } = error.details as unknown as Position & { end: Position }
    assertInside(given, { start: { line: number, column }, end })
    return undefined
  }
}

function assertInside(given: string, { start, end }: Range): void {
  const lines = given.split('\n')
  for (const { line: number, column } of [start, end]) {
    assert.ok(number >= 1 && number <= lines.length, `line ${number}`)
    assert.ok(
      column >= 1 && column <= (lines[number - 1] ?? '').length + 1,
      `line ${number} column ${column}`,
    )
  }
  assert.ok(start.line < end.line || (start.line === end.line && start.column <= end.column))
}

function rangesIn(value: unknown): Range[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) =>
    key === 'range' ? [member as Range] : rangesIn(member),
  )
}

for (const [name, files] of Object.entries({ 'any text': text, 'likely files': likely })) {
  describe(`parseDockerfile() of ${name}`, () => {
    it('fails with EngineErrors alone, and all places are in the text', () => {
      fc.assert(
        fc.property(files, (given) => {
          const file = parsed(given)
          if (file === undefined) return
          for (const range of rangesIn([file.directives, file.globals, file.stages]))
            assertInside(given, range)
        }),
        { numRuns: 3000 },
      )
    })

    it('gives the same model for what it prints', () => {
      fc.assert(
        fc.property(files, (given) => {
          const file = parsed(given)
          if (file === undefined) return
          const printed = printDockerfile(file)
          assert.deepEqual(modelOf(parseDockerfile(printed)), modelOf(file), printed)
        }),
        { numRuns: 3000 },
      )
    })
  })
}

describe('words of a parsed file', () => {
  it('are where their places say', () => {
    fc.assert(
      fc.property(likely, (given) => {
        const lines = given.split('\n')
        for (const { from, instructions } of parsed(given)?.stages ?? [])
          for (const { keyword, args } of [from, ...instructions])
            for (const { text: found, range } of [keyword, ...args])
              if (range.start.line === range.end.line)
                assert.equal(
                  (lines[range.start.line - 1] ?? '').slice(range.start.column - 1, range.end.column - 1),
                  found,
                )
      }),
      { numRuns: 1000 },
    )
  })
})

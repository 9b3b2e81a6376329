import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { cleanPath, IgnoreMatcher, ignoreFileOf, parseIgnore } from './ignore.ts'

function matcher(...lines: readonly string[]): IgnoreMatcher {
  return new IgnoreMatcher(parseIgnore(lines.join('\n')))
}

describe('parseIgnore()', () => {
  it('takes lines without comments, blanks and slashes at the ends', () => {
    const text = '\ufeff# no\r\n  a/ \r\n/b\n\n #c\n! d//e/../f\n./g\n/\n'
    assert.deepEqual(parseIgnore(text), ['a', 'b', '#c', '!d/f', 'g', '/'])
  })

  it('names the ignore file of one Dockerfile', () => {
    assert.equal(ignoreFileOf('build/My.Dockerfile'), 'build/My.Dockerfile.dockerignore')
  })
})

describe('IgnoreMatcher', () => {
  const table: readonly (readonly [lines: string, ignored: string, kept: string])[] = [
    ['*.md', 'a.md', 'a/b.md a.mdx'],
    ['*/temp*', 'a/temp a/temporary.txt a/temp/x', 'temp a/b/temp'],
    ['*/*/temp*', 'a/b/temp', 'a/temp'],
    ['temp?', 'tempa tempb/x', 'temp tempab'],
    ['**/*.go', 'a.go x/a.go x/y/a.go', 'a.gox'],
    ['**', 'a a/b .x', ''],
    ['a/**', 'a/b a/b/c', 'a ab'],
    ['a/**/b', 'a/b a/x/b a/x/y/b a/b/c', 'a ab axb a/xb'],
    ['**/b', 'b a/b a/b/c', 'ab a/ab'],
    ['**b', 'b ab a/ab', 'ba'],
    ['a**', 'a ab a/b', 'ba'],
    ['node_modules', 'node_modules node_modules/x/y', 'a/node_modules node_modules2'],
    ['[a-c]x', 'ax cx', 'dx -x'],
    ['[^a-c]x', 'dx', 'ax'],
    ['a\\*', 'a*', 'ab a'],
    ['a\\[b', 'a[b', 'ab'],
    ['a.b', 'a.b', 'axb'],
    ['(a|b)+$', '(a|b)+$', 'a b'],
    ['*.md\n!README.md', 'a.md', 'README.md'],
    ['*.md\n!README*.md\nREADME-secret.md', 'a.md README-secret.md', 'README.md README-x.md'],
    ['*.md\nREADME-secret.md\n!README*.md', 'a.md', 'README.md README-secret.md'],
    ['dir\n!dir/keep', 'dir dir/x', 'dir/keep dir/keep/y other'],
    ['!a', '', 'a'],
    ['../x', '../x', 'x'],
    ['é?', 'éü', 'é'],
  ]
  for (const [lines, ignored, kept] of table) {
    it(`takes ${JSON.stringify(lines)} as Docker does`, () => {
      const rules = matcher(...lines.split('\n'))
      const split = (text: string): string[] => text.split(' ').filter((path) => path !== '')
      for (const path of split(ignored)) assert.equal(rules.ignores(path), true, `${path} is kept`)
      for (const path of split(kept)) assert.equal(rules.ignores(path), false, `${path} is ignored`)
    })
  }

  it('knows where exceptions can be', () => {
    const rules = matcher('*', '!src/**/*.ts', '!doc?/keep')
    assert.equal(rules.exceptions, true)
    for (const directory of ['src', 'src/a', 'src/a/b', 'docs'])
      assert.equal(rules.mayHoldWanted(directory), true)
    for (const directory of ['node_modules', 'source', 'docs/x', 'sr'])
      assert.equal(rules.mayHoldWanted(directory), false)
  })

  it('refuses what is no pattern', () => {
    for (const line of ['!', '[', '[]', '[a', '[a-]', '[-x]', 'a\\'])
      assert.throws(
        () => matcher(line),
        (error) => isKind(error, 'invalid_argument'),
        line,
      )
  })

  it('is not slowed by hostile patterns', () => {
    const start = performance.now()
    const rules = matcher(
      '**/*a'.repeat(200) + 'b',
      '*a'.repeat(500) + 'b',
      '(a+)+$',
      '**/'.repeat(300) + 'x',
    )
    for (let i = 0; i < 5; i++) assert.equal(rules.ignores(`${'a/'.repeat(500)}${'a'.repeat(250)}`), false)
    assert.ok(performance.now() - start < 3000)
  })

  it('means the same as regular expressions', () => {
    const piece = fc.constantFrom('a', 'b', '/', '*', '**', '?', '.', '[ab]', '\\a')
    const pattern = fc.array(piece, { maxLength: 6, minLength: 1 }).map((pieces) => pieces.join(''))
    const line = fc.tuple(fc.boolean(), pattern).map(([not, text]) => `${not ? '!' : ''}${text}`)
    const path = fc
      .array(fc.stringMatching(/^[ab.]{1,3}$/), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('/'))
      .filter((text) => cleanPath(text) === text && !text.startsWith('..'))
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 3 }), path, (lines, text) => {
        // What Docker refuses and what means the root is not the point here.
        const patterns = parseIgnore(lines.join('\n')).filter((each) => cleanPath(each) !== '!')
        assert.equal(new IgnoreMatcher(patterns).ignores(text), naive(patterns, text), patterns.join(' '))
      }),
      { numRuns: 5000 },
    )
  })

  it('means the same when a walk skips what cannot hold anything wanted', () => {
    const part = fc.stringMatching(/^[ab]{1,2}$/)
    const pattern = fc
      .array(fc.oneof(part, fc.constantFrom('*', '**', '?')), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.join('/'))
    fc.assert(
      fc.property(pattern, fc.array(part, { minLength: 2, maxLength: 4 }), (exception, parts) => {
        const rules = matcher('*', `!${exception}`)
        const path = parts.join('/')
        if (rules.ignores(path)) return
        for (let depth = 1; depth < parts.length; depth++)
          assert.equal(rules.mayHoldWanted(parts.slice(0, depth).join('/')), true)
      }),
    )
  })
})

/** Docker's way: every pattern as a regular expression, tried on the path and on each directory above it. */
function naive(patterns: readonly string[], path: string): boolean {
  const parts = path.split('/')
  const tries = parts.map((_, i) => parts.slice(0, i + 1).join('/'))
  let ignored = false
  for (const written of patterns) {
    const exception = written.startsWith('!')
    const pattern = cleanPath(exception ? written.slice(1) : written)
    if (tries.some((each) => naiveMatch(pattern, each))) ignored = !exception
  }
  return ignored
}

function naiveMatch(pattern: string, path: string): boolean {
  const suffix = /^\*\*([^*?[\]\\/][^*?[\]\\]*)?$/.exec(pattern)
  if (suffix !== null) return path.endsWith(suffix[1] ?? '')
  const source = pattern.replaceAll(/\*\*\/?|\*|\?|\.|\\./g, (found, at: number) => {
    if (found.startsWith('**')) return at + found.length === pattern.length ? '.*' : '(.*/)?'
    if (found === '*') return '[^/]*'
    return found === '?' ? '[^/]' : found === '.' ? '\\.' : found.slice(1)
  })
  return new RegExp(`^${source}$`, 's').test(path)
}

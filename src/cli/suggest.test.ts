import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { suggestion } from './suggest.ts'

const commands = ['images', 'inspect', 'info', 'ps', 'pull', 'push', 'rm', 'rmi', 'run', 'container']

describe('suggestion()', () => {
  it('finds what a slip of the fingers was meant to be', () => {
    const meant = ['imges', 'imagse', 'inpsect', 'pul', 'psuh', 'cont', 'rnu'].map((word) =>
      suggestion(word, commands),
    )
    assert.deepEqual(meant, ['images', 'images', 'inspect', 'pull', 'push', 'container', 'run'])
  })

  it('offers nothing for what is far from everything', () => {
    assert.equal(suggestion('xyzzy', commands), undefined)
    assert.equal(suggestion('', commands), undefined)
  })

  it('takes one slip of any kind back', () => {
    const slip = fc.record({ kind: fc.constantFrom('drop', 'double', 'swap', 'replace'), at: fc.nat(20) })
    fc.assert(
      fc.property(slip, ({ kind, at }) => {
        const word = 'container'
        const i = at % (word.length - 1)
        const [head, a = '', b = '', tail] = [word.slice(0, i), word[i], word[i + 1], word.slice(i + 2)]
        const wrong = {
          drop: head + b + tail,
          double: head + a + a + b + tail,
          swap: head + b + a + tail,
          replace: `${head}x${b}${tail}`,
        }
        assert.equal(suggestion(wrong[kind as 'drop'], commands), word)
      }),
    )
  })
})

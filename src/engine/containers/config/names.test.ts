import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { adjectives, surnames } from './name-words.ts'
import { generateName, validateName } from './names.ts'

const ID = 'abcdef012345'.padEnd(64, '0')

describe('validateName()', () => {
  it('takes names with or without a slash', () => {
    assert.equal(validateName('web'), 'web')
    assert.equal(validateName('/web_1.a-b'), 'web_1.a-b')
  })

  for (const name of ['', 'a', '/', '/a', '-ab', '_ab', '.ab', 'a b', 'a/b', '../ab', 'äb', 'ab\n', '//ab']) {
    it(`refuses ${JSON.stringify(name)}`, () => {
      const message = `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`
      assert.throws(() => validateName(name), { message })
    })
  }
})

describe('generateName()', () => {
  it('joins two words that make a valid name', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (a, b) => {
        const drawn = [a, b]
        const name = generateName(
          ID,
          () => false,
          (below) => (drawn.shift() ?? 0) % below,
        )
        assert.match(name, /^[a-z]+_[a-z]+$/)
        assert.equal(validateName(name), name)
      }),
    )
  })

  it('adds a digit when the name is taken, and takes the id at last', () => {
    const first = generateName(
      ID,
      () => false,
      () => 0,
    )
    assert.equal(
      generateName(
        ID,
        (name) => name === first,
        () => 0,
      ),
      `${first}0`,
    )
    assert.equal(
      generateName(ID, () => true),
      'abcdef012345',
    )
  })

  it('draws from lists without repetitions', () => {
    for (const list of [adjectives, surnames]) {
      assert.ok(list.length >= 100, String(list.length))
      assert.equal(new Set(list).size, list.length)
    }
  })
})

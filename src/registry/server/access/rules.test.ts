import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isAdmin, permitted, type Identity } from './identity.ts'
import { Rules } from './rules.ts'
import { actionsOf, allActions, parseScope } from './scope.ts'
import { checkRightsNeedAccounts, readAccessSettings, type AccessRule } from './settings.ts'

const account = (name: string): Identity => ({ kind: 'account', name })
const stranger: Identity = { kind: 'anonymous', name: 'anonymous' }

describe('Rules', () => {
  it('without any: accounts may do everything, strangers nothing', () => {
    const rules = new Rules()
    assert.deepEqual(permitted(rules, account('ann'), 'any/thing'), allActions)
    assert.deepEqual(permitted(rules, stranger, 'any/thing'), [])
    assert.equal(isAdmin(rules, account('ann')), false)
  })

  it('with rules: the own namespace, what rules add, what is open; admins everything', () => {
    const rules = new Rules({
      admins: ['root'],
      anonymous: ['public/*'],
      rules: [
        { repository: 'team/**', users: ['ann', 'bob'], actions: ['pull'] },
        { repository: 'team/app', users: ['ann'], actions: ['push'] },
        { repository: 'shared', users: ['*'], actions: ['*'] },
      ],
    })
    const table = (['root', 'ann', 'bob', 'eve'] as const).map((name) =>
      ['team/app', 'team/x/y', 'ann/own', 'annex/own', 'shared', 'public/a', 'public/a/b']
        .map((repository) =>
          permitted(rules, account(name), repository)
            .map((action) => action.slice(0, 2))
            .join('+'),
        )
        .join(' | '),
    )
    assert.deepEqual(table, [
      Array(7).fill('pu+pu+de').join(' | '),
      'pu+pu | pu | pu+pu+de |  | pu+pu+de | pu | ',
      'pu | pu |  |  | pu+pu+de | pu | ',
      ' |  |  |  | pu+pu+de | pu | ',
    ])
    assert.deepEqual(permitted(rules, stranger, 'public/a'), ['pull'])
    assert.deepEqual(permitted(rules, stranger, 'shared'), [])
    assert.equal(isAdmin(rules, account('root')), true)
  })

  it('a token with scopes narrows, and is never an admin', () => {
    const rules = new Rules({ admins: ['root'] })
    const scopes = [parseScope('repository:team/*:pull,push')].filter((scope) => scope !== undefined)
    const root: Identity = { ...account('root'), token: { id: '1', scopes } }
    assert.deepEqual(permitted(rules, root, 'team/a'), ['pull', 'push'])
    assert.deepEqual(permitted(rules, root, 'team/a/b'), [])
    assert.equal(isAdmin(rules, root), false)
  })

  it('refuses settings that mean nothing, and names the place', () => {
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [{ rules: [{ repository: 'A/*', users: ['a'] }] }, /access\.rules\[0\]\.repository/],
      [{ rules: [{ repository: 'a', users: [] }] }, /access\.rules\[0\]\.users names nobody/],
      [{ rules: [{ repository: 'a', users: ['a'], actions: ['write'] }] }, /"write" is none of/],
      [{ anonymous: ['a//b'] }, /access\.anonymous\[0\]/],
      [{ anonymous: ['/(/'] }, /access\.anonymous\[0\]/],
      [{ anonymus: [] }, /access\.anonymus is not a setting/],
    ]
    for (const [settings, text] of wrong) assert.throws(() => readAccessSettings(settings), text)
  })
})

it('checkRightsNeedAccounts() refuses rights that would mean nothing', () => {
  checkRightsNeedAccounts({ admins: undefined, rules: undefined }, false)
  checkRightsNeedAccounts({ rules: [] }, true)
  assert.throws(() => checkRightsNeedAccounts({ anonymous: ['public/*'] }, false), /--htpasswd FILE/)
})

describe('permitted()', () => {
  const names = fc.constantFrom('ann', 'bob', 'eve', 'root')
  const repositories = fc.constantFrom('a', 'team/a', 'team/b', 'ann/a', 'bob/a/b', 'public/x')
  const patterns = fc.constantFrom('**', 'team/*', 'team/a', '*', 'ann/**', 'public/*')
  const actions = fc.uniqueArray(fc.constantFrom('pull', 'push', 'delete', '*'), { minLength: 1 })
  const rule: fc.Arbitrary<AccessRule> = fc.record({
    repository: patterns,
    users: fc.uniqueArray(fc.oneof(names, fc.constant('*')), { minLength: 1 }),
    actions,
  })
  const settings = fc.record({
    admins: fc.uniqueArray(names, { maxLength: 1 }),
    rules: fc.array(rule, { maxLength: 4 }),
    anonymous: fc.uniqueArray(patterns, { maxLength: 2 }),
  })
  const scopes = fc.array(
    fc
      .tuple(patterns, actions)
      .map(([name, of]) => ({ type: 'repository', class: undefined, name, actions: of })),
    { maxLength: 3 },
  )

  it('a token never has more than its account; more rules never mean less', () => {
    fc.assert(
      fc.property(settings, rule, names, repositories, scopes, (given, added, name, repository, limits) => {
        const rules = new Rules(given)
        const whole = permitted(rules, account(name), repository)
        const narrowed = permitted(
          rules,
          { ...account(name), token: { id: '1', scopes: limits } },
          repository,
        )
        assert.ok(narrowed.every((action) => whole.includes(action)))
        const more = permitted(
          new Rules({ ...given, rules: [...given.rules, added] }),
          account(name),
          repository,
        )
        assert.ok(whole.every((action) => more.includes(action)))
        const open = permitted(rules, stranger, repository)
        assert.ok(open.every((action) => action === 'pull' && whole.includes(action)))
      }),
    )
  })

  it('a deploy token has what its scopes say, and what is open to everybody', () => {
    fc.assert(
      fc.property(settings, repositories, scopes, (given, repository, limits) => {
        const rules = new Rules(given)
        const deploy: Identity = { kind: 'deploy', name: 'root', token: { id: '1', scopes: limits } }
        const covering = limits.filter(
          ({ name }) => new Rules({ anonymous: [name] }).actions(undefined, repository).length,
        )
        const expected = new Set([
          ...actionsOf(covering.flatMap((scope) => scope.actions)),
          ...permitted(rules, stranger, repository),
        ])
        assert.deepEqual(new Set(permitted(rules, deploy, repository)), expected)
      }),
    )
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock } from '#base/fake-clock.ts'
import { accessWith } from './fake-access.ts'
import { LoginLimits } from './login-limits.ts'

const login = (name: string, password: string, remoteAddress = '192.0.2.7') => ({
  name,
  password,
  remoteAddress,
})

describe('Passwords', () => {
  it('computes as much for an account that is not there as for one that is', async () => {
    const { passwords, hashes } = accessWith({ ann: 'secret', bob: 'other' })
    assert.equal((await passwords.verify(login('ann', 'secret')))?.name, 'ann')
    assert.equal(await passwords.verify(login('ann', 'wrong')), undefined)
    assert.equal(await passwords.verify(login('nobody', 'secret')), undefined)
    // Even where the password is that of the account which stands in.
    assert.equal(await passwords.verify(login('nobody', 'other')), undefined)
    assert.equal(hashes.checked.length, 4)
    assert.ok(hashes.checked.every((hash) => hash.startsWith('hash of')))
    assert.equal(hashes.checked[2], hashes.checked[3])
  })

  it('remembers a right password for five minutes, and not beyond its change', async () => {
    const { passwords, hashes, clock, table } = accessWith({ ann: 'secret' })
    await Promise.all(Array.from({ length: 10 }, () => passwords.verify(login('ann', 'secret'))))
    await passwords.verify(login('ann', 'secret'))
    assert.equal(hashes.checked.length, 1)
    await clock.advance(300_000)
    await passwords.verify(login('ann', 'secret'))
    assert.equal(hashes.checked.length, 2)
    table.set('ann', { name: 'ann', hash: 'hash of new' })
    assert.equal(await passwords.verify(login('ann', 'secret')), undefined)
    assert.equal((await passwords.verify(login('ann', 'new')))?.name, 'ann')
  })

  it('stops guessing, for the right password too, until the window is over', async () => {
    const { passwords, clock, hashes } = accessWith({ ann: 'secret' })
    await passwords.verify(login('ann', 'secret'))
    for (const guess of ['a', 'b', 'c']) await passwords.verify(login('ann', guess))
    await assert.rejects(passwords.verify(login('ann', 'secret')), {
      kind: 'resource_exhausted',
      code: 'LOGIN_LIMIT',
      details: { retryAfter: 300 },
    })
    assert.equal((await passwords.verify(login('ann', 'secret', '192.0.2.8')))?.name, 'ann')
    const before = hashes.checked.length
    await clock.advance(300_000)
    assert.equal((await passwords.verify(login('ann', 'secret')))?.name, 'ann')
    assert.equal(hashes.checked.length, before + 1)
  })

  it('lets no burst of guesses through', async () => {
    const { passwords, hashes } = accessWith({ ann: 'secret' })
    const guesses = Array.from({ length: 20 }, (_, index) => passwords.verify(login('ann', `guess ${index}`)))
    const refused = (await Promise.allSettled(guesses)).filter(({ status }) => status === 'rejected')
    assert.deepEqual([refused.length, hashes.checked.length], [17, 3])
  })
})

describe('LoginLimits', () => {
  const options = { perAccount: 2, perAddress: 4 }
  const fail = (limits: LoginLimits, address: string, account: string): string => {
    try {
      limits.begin(address, account)
      return 'begun'
    } catch (error) {
      return (error as { code: string }).code
    }
  }

  it('limits an address whatever the accounts, but not that of a proxy on this host', () => {
    const limits = new LoginLimits({ ...options, clock: new FakeClock() })
    const spray = (address: string): string[] =>
      ['a', 'b', 'c', 'd', 'e'].map((name) => fail(limits, address, name))
    assert.deepEqual(spray('192.0.2.1'), [...Array<string>(4).fill('begun'), 'LOGIN_LIMIT'])
    assert.deepEqual(spray('::ffff:127.0.0.1'), Array<string>(5).fill('begun'))
    assert.equal(fail(limits, '::ffff:192.0.2.1', 'f'), 'LOGIN_LIMIT')
  })

  it('takes a /64 for one address', () => {
    const limits = new LoginLimits({ ...options, clock: new FakeClock() })
    const addresses = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:1::3', '2001:db8:0:1::4']
    assert.deepEqual(
      addresses.map((address) => fail(limits, address, 'ann')),
      ['begun', 'begun', 'LOGIN_LIMIT', 'begun'],
    )
  })

  it('a success of one account leaves the limit of the address', () => {
    const limits = new LoginLimits({ ...options, clock: new FakeClock() })
    for (const name of ['a', 'b', 'c']) limits.begin('192.0.2.1', name)
    limits.begin('192.0.2.1', 'own').succeeded()
    limits.begin('192.0.2.1', 'd')
    assert.equal(fail(limits, '192.0.2.1', 'own'), 'LOGIN_LIMIT')
  })
})

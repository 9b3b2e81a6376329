import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { guard, type GuardRules } from './guard.ts'

const tcp: GuardRules = { allowedHosts: ['localhost', '127.0.0.1', '::1'], sameOrigin: true }
const unix: GuardRules = { allowedHosts: undefined, sameOrigin: false }

function refuses(headers: Record<string, string>, authority?: string): void {
  assert.throws(
    () => guard(headers, authority, tcp),
    (error) => isKind(error, 'permission_denied'),
  )
}

describe('guard()', () => {
  it('serves the allowed names with any port', () => {
    for (const host of ['localhost', 'LOCALHOST:2375', '127.0.0.1:2375', '[::1]:2375', '[::1]']) {
      guard({ host }, undefined, tcp)
    }
  })

  it('refuses a name that was made to resolve to this machine', () => {
    refuses({ host: 'rebound.example:2375' })
    refuses({ host: 'localhost.rebound.example' })
    refuses({})
    refuses({ host: 'localhost' }, 'rebound.example')
  })

  it('serves clients of BuildKit, who name no host, and nobody else without one', () => {
    guard({ host: '', upgrade: 'h2c' }, undefined, tcp)
    refuses({ host: '', upgrade: 'tcp' })
    refuses({ host: 'rebound.example', upgrade: 'h2c' })
    refuses({ host: '', upgrade: 'h2c', origin: 'https://evil.example' })
  })

  it('refuses what a page of another site sends', () => {
    refuses({ host: 'localhost:2375', origin: 'https://evil.example' })
    refuses({ host: 'localhost:2375', origin: 'null' })
    refuses({ host: 'localhost:2375', origin: 'http://localhost:8080' })
    refuses({ host: 'localhost:2375', 'sec-fetch-site': 'cross-site' })
    refuses({ host: 'localhost:2375', 'sec-fetch-site': 'same-site' })
  })

  it('serves pages of its own origin', () => {
    guard(
      { host: 'localhost:2375', origin: 'http://localhost:2375', 'sec-fetch-site': 'same-origin' },
      undefined,
      tcp,
    )
  })

  it('asks nothing on a unix socket', () => {
    guard({ host: 'anything', origin: 'http://x' }, undefined, unix)
  })
})

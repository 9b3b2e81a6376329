import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Metrics } from '../metrics/metrics.ts'
import { ProxyStatistics } from './statistics.ts'

describe('ProxyStatistics', () => {
  it('keeps what an upstream says about its limits', () => {
    const metrics = new Metrics()
    const statistics = new ProxyStatistics(metrics)
    const headers: Record<string, string> = {
      'ratelimit-limit': '100;w=21600',
      'ratelimit-remaining': '98;w=21600',
    }
    statistics.observe('docker.io', (name) => headers[name], 7)
    statistics.observe('quay.io', () => undefined, 7)
    assert.deepEqual(
      [...statistics.limits()],
      [['docker.io', { limit: 100, remaining: 98, window: 21_600, seen: 7 }]],
    )
    assert.match(metrics.render(), /proxy_pulls_remaining\{upstream="docker.io"\} 98/)
  })

  it('is not impressed by nonsense', () => {
    const statistics = new ProxyStatistics(new Metrics())
    statistics.observe('x', () => 'lots', 1)
    assert.deepEqual(statistics.limits().get('x'), {
      limit: undefined,
      remaining: undefined,
      window: undefined,
      seen: 1,
    })
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import { Sampler } from './sampler.ts'
import type { Sample } from './stats-document.ts'
import { statsDocument } from './stats-document.ts'

function sample(version: 'v1' | 'v2', n = 1): Sample {
  return {
    at: new Date(Date.UTC(2026, 0, 2, 3, 4, n)),
    version,
    counters: {
      cpu: {
        total: n * 1000,
        kernel: 1,
        user: 2,
        perCpu: version === 'v1' ? [n * 400, n * 600] : undefined,
        periods: 3,
        throttledPeriods: 4,
        throttledTime: 5,
      },
      memory: {
        usage: 100,
        maxUsage: version === 'v1' ? 200 : undefined,
        limit: undefined,
        failures: 0,
        stat: new Map([[version === 'v1' ? 'total_inactive_file' : 'inactive_file', 7]]),
      },
      pids: { current: 9, limit: undefined },
      io: {
        serviceBytes: [{ major: 8, minor: 0, op: 'read', value: 1 }],
        serviced: version === 'v1' ? [] : undefined,
      },
    },
    system: { total: 2n ** 60n, onlineCpus: 2 },
    totalMemory: 1000,
    links: [
      {
        name: 'eth0',
        rxBytes: 1,
        rxPackets: 2,
        rxErrors: 3,
        rxDropped: 4,
        txBytes: 5,
        txPackets: 6,
        txErrors: 7,
        txDropped: 8,
      },
    ],
  }
}

const web = { id: 'abc', name: 'web' }

describe('statsDocument()', () => {
  it('is what the Docker CLI computes with, on version 2', () => {
    const none = null
    assert.deepEqual(statsDocument(web, sample('v2', 2), sample('v2', 1)), {
      id: 'abc',
      name: '/web',
      os_type: 'linux',
      read: '2026-01-02T03:04:02.000Z',
      preread: '2026-01-02T03:04:01.000Z',
      cpu_stats: {
        cpu_usage: { total_usage: 2000, usage_in_kernelmode: 1, usage_in_usermode: 2 },
        system_cpu_usage: 2n ** 60n,
        online_cpus: 2,
        throttling_data: { periods: 3, throttled_periods: 4, throttled_time: 5 },
      },
      precpu_stats: {
        cpu_usage: { total_usage: 1000, usage_in_kernelmode: 1, usage_in_usermode: 2 },
        system_cpu_usage: 2n ** 60n,
        online_cpus: 2,
        throttling_data: { periods: 3, throttled_periods: 4, throttled_time: 5 },
      },
      memory_stats: { usage: 100, stats: { inactive_file: 7 }, limit: 1000 },
      networks: {
        eth0: {
          rx_bytes: 1,
          rx_packets: 2,
          rx_errors: 3,
          rx_dropped: 4,
          tx_bytes: 5,
          tx_packets: 6,
          tx_errors: 7,
          tx_dropped: 8,
        },
      },
      pids_stats: { current: 9, limit: 18446744073709551615n },
      blkio_stats: {
        io_service_bytes_recursive: [{ major: 8, minor: 0, op: 'read', value: 1 }],
        io_serviced_recursive: none,
        io_queue_recursive: none,
        io_service_time_recursive: none,
        io_wait_time_recursive: none,
        io_merged_recursive: none,
        io_time_recursive: none,
        sectors_recursive: none,
      },
      num_procs: 0,
      storage_stats: {},
    })
  })

  it('has the further counters of version 1', () => {
    const document = statsDocument(web, sample('v1'), undefined) as Record<string, Record<string, unknown>>
    assert.deepEqual(document['memory_stats'], {
      usage: 100,
      max_usage: 200,
      stats: { total_inactive_file: 7 },
      limit: 1000,
    })
    assert.deepEqual(document['pids_stats'], { current: 9 })
    assert.deepEqual(document['blkio_stats']?.['io_serviced_recursive'], [])
    const usage = document['cpu_stats']?.['cpu_usage'] as { readonly percpu_usage: unknown } | undefined
    assert.deepEqual(usage?.percpu_usage, [400, 600])
    assert.equal(document['preread'], '0001-01-01T00:00:00Z')
  })

  it('is empty but complete for a stopped container', () => {
    const document = statsDocument(web, undefined, undefined) as Record<string, unknown>
    assert.deepEqual(document['memory_stats'], {})
    assert.deepEqual(document['precpu_stats'], document['cpu_stats'])
    assert.equal('networks' in document, false)
  })
})

function world() {
  let reads = 0
  let alive = true
  const sampler = new Sampler({
    read: async () => (alive ? sample('v2', ++reads) : undefined),
    logger: silentLogger,
    interval: 1,
  })
  const container = { ...web, pid: 7 }
  const never = Promise.withResolvers<void>().promise
  return { sampler, container, never, reads: () => reads, die: () => void (alive = false) }
}

const totals = (document: object | undefined) => {
  const { cpu_stats: now, precpu_stats: before } = document as Record<
    'cpu_stats' | 'precpu_stats',
    { cpu_usage: { total_usage: number } }
  >
  return [before.cpu_usage.total_usage, now.cpu_usage.total_usage]
}

describe('Sampler.sample()', () => {
  it('compares two samples, or gives one at once', async () => {
    const { sampler, container, never, reads } = world()
    const one = { stream: false, oneShot: true, ended: never }
    assert.deepEqual(totals((await Array.fromAsync(sampler.sample(container, one)))[0]), [0, 1000])
    assert.equal(reads(), 1)
    const two = { stream: false, oneShot: false, ended: never }
    assert.deepEqual((await Array.fromAsync(sampler.sample(container, two))).map(totals), [[2000, 3000]])
  })

  it('samples once for all who watch one container', async () => {
    const { sampler, container, never } = world()
    const options = { stream: true, oneShot: false, ended: never }
    const first = async (count: number) => {
      const seen: (readonly number[])[] = []
      for await (const document of sampler.sample(container, options)) {
        seen.push(totals(document))
        if (seen.length === count) break
      }
      return seen
    }
    const [a, b] = await Promise.all([first(3), first(3)])
    assert.deepEqual(a, b)
    assert.deepEqual(a, [
      [0, 1000],
      [1000, 2000],
      [2000, 3000],
    ])
  })

  it('ends with the process, and when it is cancelled', async () => {
    const { sampler, container, never, die } = world()
    const ended = Promise.withResolvers<void>()
    const stream = { stream: true, oneShot: false }
    for await (const _document of sampler.sample(container, { ...stream, ended: ended.promise }))
      ended.resolve()
    for await (const _document of sampler.sample(container, { ...stream, ended: never })) die()
    const controller = new AbortController()
    const stopped = { ...container, pid: undefined }
    for await (const document of sampler.sample(stopped, {
      ...stream,
      ended: never,
      signal: controller.signal,
    })) {
      assert.deepEqual(totals(document), [0, 0])
      controller.abort()
    }
  })

  it('gives one empty document for a stopped container', async () => {
    const { sampler, never } = world()
    const options = { stream: false, oneShot: false, ended: never }
    const documents = await Array.fromAsync(sampler.sample({ ...web, pid: undefined }, options))
    assert.deepEqual(documents, [statsDocument(web, undefined, undefined)])
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jsonLogger } from '#base/logger.ts'
import { Metrics } from './metrics.ts'
import { RequestLog } from './requests.ts'

describe('Metrics', () => {
  it('renders counters, gauges and histograms as Prometheus reads them', () => {
    const metrics = new Metrics()
    const counter = metrics.counter('hits_total', 'Hits.')
    metrics.gauge('bytes', 'Bytes.', () => [[{ kind: 'a "b"\\\n' }, 3]])
    const histogram = metrics.histogram('seconds', 'Seconds.', [0.1, 1])
    counter.add()
    counter.add(2)
    histogram.observe(0.1)
    histogram.observe(5)
    assert.equal(
      metrics.render(),
      `# HELP hits_total Hits.
# TYPE hits_total counter
hits_total 3
# HELP bytes Bytes.
# TYPE bytes gauge
bytes{kind="a \\"b\\"\\\\\\n"} 3
# HELP seconds Seconds.
# TYPE seconds histogram
seconds_bucket{le="0.1"} 1
seconds_bucket{le="1"} 1
seconds_bucket{le="+Inf"} 2
seconds_sum 5.1
seconds_count 2
`,
    )
  })
})

describe('RequestLog', () => {
  it('counts by route and status, and writes one line of JSON', () => {
    const lines: string[] = []
    const metrics = new Metrics()
    const log = new RequestLog(
      metrics,
      jsonLogger((line) => lines.push(line), 'info'),
    )
    log.record({
      route: '/v2/{name}/blobs/{digest}',
      method: 'GET',
      path: '/v2/a/blobs/x',
      status: 404,
      received: 0,
      sent: 12,
      milliseconds: 1.26,
      account: 'anonymous',
      remoteAddress: '192.0.2.1',
      userAgent: 'test',
      error: 'BLOB_UNKNOWN',
    })
    assert.match(
      metrics.render(),
      /requests_total\{method="GET",route="\/v2\/\{name\}\/blobs\/\{digest\}",status="404"\} 1/,
    )
    assert.equal(lines.length, 1)
    const { msg, milliseconds, error } = JSON.parse(lines[0] ?? '') as Record<string, unknown>
    assert.deepEqual([msg, milliseconds, error], ['request', 1.3, 'BLOB_UNKNOWN'])
  })
})

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { openDatabase } from '#store/db.ts'
import type { RegistryEvent } from '../events.ts'
import { webhookDeliveries } from './9201-webhooks.ts'
import { readWebhooks } from './endpoint.ts'
import { type Post, Webhooks } from './webhooks.ts'

interface Sent {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Webhooks whose receivers answer with `statuses`, one after the other; 200 when there are no more. */
function bench(settings: readonly object[], statuses: (number | Error)[] = []) {
  const db = openDatabase(':memory:', { logger: silentLogger, migrations: [webhookDeliveries] })
  const clock = new FakeClock()
  const sent: Sent[] = []
  const post: Post = (url, request) => {
    sent.push({ url: url.href, ...request })
    const answer = statuses.shift() ?? 200
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
  }
  const make = (): Webhooks =>
    new Webhooks({
      db,
      clock,
      logger: silentLogger,
      post,
      source: { baseUrl: 'https://reg.test', address: 'reg.test:443', instanceId: 'one' },
      endpoints: readWebhooks(settings),
    })
  return { db, clock, sent, make, webhooks: make() }
}

function event(id: string, more: Partial<RegistryEvent> = {}): RegistryEvent {
  return {
    id,
    at: Date.UTC(2026, 0, 1),
    action: 'push',
    repository: 'team/app',
    digest: `sha256:${'a'.repeat(64)}`,
    tag: 'v1',
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    size: 7,
    actor: 'ann',
    remoteAddress: '192.0.2.1',
    userAgent: 'test',
    ...more,
  }
}

async function running(webhooks: Webhooks, work: () => Promise<void>): Promise<void> {
  const over = new AbortController()
  const run = webhooks.run(over.signal)
  try {
    await work()
  } finally {
    over.abort()
    await run
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn()
}

const idOf = ({ body }: Sent): string => (JSON.parse(body) as { events: [{ id: string }] }).events[0].id

describe('Webhooks', () => {
  it("sends Docker's envelope with a signature, to those who want the event", async () => {
    const { webhooks, sent } = bench([
      { url: 'http://a.test/hook', secret: 's3cret', events: ['push'] },
      { url: 'http://b.test/', repositories: ['other/**'] },
    ])
    await running(webhooks, async () => {
      webhooks.listener(event('e1'))
      webhooks.listener(event('e2', { action: 'delete' }))
      webhooks.listener(event('e3', { mediaType: 'application/octet-stream' }))
      await turns()
    })
    assert.deepEqual(
      sent.map(({ url }) => url),
      ['http://a.test/hook'],
    )
    const { body, headers } = sent[0] ?? assert.fail()
    const [first] = (JSON.parse(body) as { events: [{ action: string; target: object }] }).events
    assert.equal(first.action, 'push')
    assert.deepEqual(first.target, {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      size: 7,
      digest: `sha256:${'a'.repeat(64)}`,
      length: 7,
      repository: 'team/app',
      url: `https://reg.test/v2/team/app/manifests/sha256:${'a'.repeat(64)}`,
      tag: 'v1',
    })
    assert.equal(
      headers['X-Hub-Signature-256'],
      `sha256=${createHmac('sha256', 's3cret').update(body).digest('hex')}`,
    )
  })

  it('tries again, ever later, keeps the order, and gives up in the end', async () => {
    const { webhooks, sent, clock } = bench(
      [{ url: 'http://a.test/', attempts: 3 }],
      [500, new Error('refused'), 503],
    )
    await running(webhooks, async () => {
      webhooks.listener(event('e1'))
      webhooks.listener(event('e2'))
      await turns()
      assert.deepEqual([sent.length, clock.sleeping], [1, [1000]])
      await clock.advance(1000)
      await turns()
      assert.deepEqual([sent.length, clock.sleeping], [2, [2000]])
      await clock.advance(2000)
      await turns()
    })
    assert.deepEqual(sent.map(idOf), ['e1', 'e1', 'e1', 'e2'])
    assert.deepEqual(
      webhooks.deliveries({ limit: 10 }).map((row) => [row.eventId, row.state, row.attempts, row.status]),
      [
        ['e2', 'delivered', 1, 200],
        ['e1', 'failed', 3, 503],
      ],
    )
  })

  it('sends after a restart what was queued before it', async () => {
    const { webhooks, make, sent } = bench([{ url: 'http://a.test/' }])
    webhooks.listener(event('e1'))
    assert.deepEqual([...webhooks.pending().values()], [1])
    await running(make(), turns)
    assert.deepEqual(sent.map(idOf), ['e1'])
  })

  it('never throws into a push, and is bounded', () => {
    const { webhooks, db } = bench([{ url: 'http://a.test/', name: 'a' }])
    db.exec(`INSERT INTO webhook_deliveries (endpoint, event_id, event, state, due, created)
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
      SELECT 'a', i, '{}', 'pending', 0, 0 FROM n`)
    webhooks.listener(event('newest'))
    assert.equal(webhooks.pending().get('a'), 10_000)
    db.exec('DROP TABLE webhook_deliveries')
    webhooks.listener(event('lost'))
  })

  it('refuses settings that would not work', () => {
    assert.throws(() => readWebhooks([{ url: 'http://a/', events: ['explode'] }]), /no event is called/)
    assert.throws(() => readWebhooks([{ url: 'http://a/' }, { url: 'http://a/' }]), /same name/)
  })
})

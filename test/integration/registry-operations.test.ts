/** What a registry does beside pull and push, as processes that talk to each other. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { digestOf } from '#base/digest.ts'
import { openRegistryClient } from '#registry/client/client.ts'
import { codeOf, TestClient } from '#registry/server/distribution.suite.ts'
import { RegistryProcess } from '#test/support/registry-process.ts'

const run = promisify(execFile)
const PROGRAM = join(import.meta.dirname, '../../bin/berth-registry')

/** A registry with these settings, and accounts with the password `secret-1`. */
async function withSettings(settings: object, accounts: readonly string[] = []): Promise<RegistryProcess> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-registry-config-'))
  const path = join(directory, 'config.json')
  const htpasswd = join(directory, 'htpasswd')
  try {
    writeFileSync(path, JSON.stringify(settings))
    for (const account of accounts) {
      const adding = run(PROGRAM, ['user', 'add', account, '--htpasswd', htpasswd, '--password-stdin'])
      adding.child.stdin?.end('secret-1\n')
      await adding
    }
    // Both files are read before it listens.
    const access = accounts.length === 0 ? [] : ['--htpasswd', htpasswd]
    return await RegistryProcess.start(['--config', path, ...access])
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function gc(root: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(PROGRAM, ['gc', '--root', root, ...args])
  return stdout
}

async function document<T>(response: Response | Promise<Response>): Promise<T> {
  const answer = await response
  assert.equal(answer.status, 200, await answer.clone().text())
  return (await answer.json()) as T
}

/** The value of a metric, with its labels as they are written. */
async function metric(client: TestClient, name: string): Promise<number> {
  const text = await (await client.fetch('/metrics')).text()
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1) ?? 0)
}

async function eventually(what: string, check: () => Promise<boolean> | boolean): Promise<void> {
  const signal = AbortSignal.timeout(10_000)
  while (!(await check())) await delay(10, undefined, { signal }).catch(() => assert.fail(`never: ${what}`))
}

/** Sends only what the registry says it lacks, tags, pulls all of it again, and takes the tag away. */
async function pushAsClientsDo(
  client: TestClient,
  name: string,
  sent: { uploaded: number; skipped: number },
): Promise<void> {
  const parts = [`{"name":"${name}"}`, `layer of ${name}`].map((bytes) => ({
    bytes,
    digest: digestOf(bytes),
  }))
  for (const { bytes, digest } of parts) {
    const { status } = await client.fetch(`/v2/${name}/blobs/${digest}`, { method: 'HEAD' })
    sent[status === 200 ? 'skipped' : 'uploaded']++
    if (status !== 200) await client.putBlob(name, bytes)
  }
  const [config, layer] = parts.map(({ bytes, digest }) => ({ digest, size: bytes.length }))
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
  }
  const answer = await client.putManifest(name, 'v1', manifest)
  assert.equal(answer.status, 201, await answer.text())
  for (const { digest } of parts) {
    const blob = await client.fetch(`/v2/${name}/blobs/${digest}`)
    assert.equal(blob.status, 200, `${name} ${digest}`)
    assert.equal(digestOf(Buffer.from(await blob.arrayBuffer())), digest)
  }
  assert.equal((await client.fetch(`/v2/${name}/manifests/v1`, { method: 'DELETE' })).status, 202)
}

interface Image {
  readonly layers: readonly { readonly digest: string }[]
}

describe('garbage collection in a process of its own', () => {
  it('never takes anything from pushes that run meanwhile', { timeout: 120_000 }, async () => {
    await using registry = await RegistryProcess.start()
    const client = new TestClient(registry.url)
    const grace = 1000
    const loop = new Worker(new URL('../support/collect-loop.ts', import.meta.url), {
      workerData: { root: registry.root, grace },
    })
    const sent = { uploaded: 0, skipped: 0 }
    const over = Date.now() + 12_000
    await Promise.all(
      Array.from({ length: 12 }, async (_, worker) => {
        while (Date.now() < over) {
          await pushAsClientsDo(client, `race/app${worker}`, sent)
          // What was just untagged is collected now, or is relied upon once more: both about to happen.
          await delay(grace * 0.9 + Math.random() * grace * 0.2)
        }
      }),
    )
    loop.postMessage('end')
    const [removed] = (await once(loop, 'message')) as [Record<'manifest' | 'link' | 'blob', number>]
    assert.ok(removed.blob > 20 && removed.link > 20 && removed.manifest > 20, JSON.stringify(removed))
    assert.ok(sent.uploaded > 20 && sent.skipped > 5, JSON.stringify(sent))
  })

  it('says what, why and how many bytes, and does it', async () => {
    await using registry = await RegistryProcess.start()
    const client = new TestClient(registry.url)
    await client.putImage('team/app', 'kept')
    await client.putImage('team/app', 'gone')
    const { digest } = await client.putBlob('team/app', 'nobody needs this')
    await client.fetch('/v2/team/app/manifests/gone', { method: 'DELETE' })
    assert.match(await gc(registry.root, '--delete-untagged'), /^removed nothing; 0 bytes freed/)
    const dry = await gc(registry.root, '--grace', '0', '--delete-untagged', '--dry-run')
    assert.match(dry, /would remove manifest team\/app@sha256:\w+ \(\d+ bytes\): no tag, index or subject/)
    assert.match(dry, new RegExp(`would remove blob ${digest} \\(17 bytes\\): no repository holds it`))
    const real = await gc(registry.root, '--grace', '0', '--delete-untagged')
    assert.equal(real, dry.replaceAll('would remove', 'removed').replace('would be freed', 'freed'))
    assert.equal((await client.fetch(`/v2/team/app/blobs/${digest}`)).status, 404)
    assert.equal((await client.fetch('/v2/team/app/manifests/kept')).status, 200)
    assert.ok((await metric(client, 'berth_registry_collection_freed_bytes')) > 17)
    await assert.rejects(gc(join(registry.root, 'nowhere')), /there is no registry in/)
  })
})

describe('a pull-through cache', () => {
  it('fetches each blob once for 20 pulls at once, and serves on while its upstream is away', async () => {
    await using upstream = await RegistryProcess.start()
    const origin = new TestClient(upstream.url)
    const layer = randomBytes(3 << 20)
    const config = await origin.putBlob('library/app', '{"architecture":"amd64","os":"linux"}')
    const blob = await origin.putBlob('library/app', layer)
    const manifest = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...blob }],
    }
    await origin.putManifest('library/app', 'v1', manifest)

    await using cache = await withSettings({ proxy: [{ upstream: upstream.url, prefix: 'up', ttl: '1ms' }] })
    const client = new TestClient(cache.url)
    const pull = async (): Promise<void> => {
      const image = await document<Image>(client.fetch('/v2/up/library/app/manifests/v1'))
      for (const { digest } of [config, ...image.layers]) {
        const response = await client.fetch(`/v2/up/library/app/blobs/${digest}`)
        assert.equal(response.status, 200)
        assert.equal(digestOf(Buffer.from(await response.arrayBuffer())), digest)
      }
    }
    await Promise.all(Array.from({ length: 20 }, pull))
    const gets = 'berth_registry_requests_total{method="GET",route="BlobGet",status="200"}'
    const ranges = 'berth_registry_requests_total{method="GET",route="BlobGet",status="206"}'
    assert.equal((await metric(origin, gets)) + (await metric(origin, ranges)), 2)

    await upstream.down()
    const stale = await client.fetch('/v2/up/library/app/manifests/v1')
    assert.equal(stale.status, 200)
    assert.match(stale.headers.get('warning') ?? '', /^110 /)
    await pull()
    assert.equal((await client.fetch('/v2/up/library/app/manifests/other')).status, 503)
  })

  it('lists tags and referrers as its upstream does, also while that is away', async () => {
    await using upstream = await RegistryProcess.start()
    const origin = new TestClient(upstream.url)
    const digest = await origin.putImage('org/app', 'v1')
    for (const tag of ['B', 'a', 'c']) await origin.putImage('org/app', tag)
    const subject = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1 }
    const artifact = await origin.image('org/app', 'sig', { subject, artifactType: 'application/x-sig' })
    await origin.putManifest('org/app', digestOf(JSON.stringify(artifact)), artifact)

    await using cache = await withSettings({ proxy: [{ upstream: upstream.url, prefix: 'up', ttl: '1ms' }] })
    const client = new TestClient(cache.url)
    const check = async (): Promise<void> => {
      const page = await client.fetch('/v2/up/org/app/tags/list?n=2&last=a')
      assert.match(page.headers.get('link') ?? '', /last=c/)
      assert.deepEqual((await document<{ tags: string[] }>(page)).tags, ['B', 'c'])
      const { manifests } = await document<{ manifests: { digest: string; artifactType: string }[] }>(
        client.fetch(`/v2/up/org/app/referrers/${digest}?artifactType=application/x-sig`),
      )
      assert.deepEqual(
        manifests.map((one) => [one.digest, one.artifactType]),
        [[digestOf(JSON.stringify(artifact)), 'application/x-sig']],
      )
    }
    await check()
    await upstream.down()
    await check()
  })

  it('takes no pushes, and answers ?ns= and HEAD', async () => {
    await using upstream = await RegistryProcess.start()
    await new TestClient(upstream.url).putImage('library/app', 'v1')
    await using cache = await RegistryProcess.start(['--mirror-of', upstream.url])
    const client = new TestClient(cache.url)
    const refused = await client.fetch('/v2/library/app/blobs/uploads/', { method: 'POST' })
    assert.equal(refused.status, 403)
    assert.equal(await codeOf(refused), 'DENIED')
    const ns = new URL(upstream.url).host
    const head = await client.fetch(`/v2/library/app/manifests/v1?ns=${ns}`, { method: 'HEAD' })
    assert.equal(head.status, 200)
    const missing = await client.fetch('/v2/library/app/manifests/none')
    assert.equal(missing.status, 404)
    assert.equal(await codeOf(missing), 'MANIFEST_UNKNOWN')
  })
})

describe('rules of a registry', () => {
  it('refuses what is over quota, and to move immutable tags', async () => {
    await using registry = await withSettings({
      quota: [{ namespace: 'small', limit: 2000 }],
      retention: [{ repositories: ['team/**'], immutableTags: ['v*'] }],
    })
    const client = new TestClient(registry.url)
    await client.putImage('small/app', 'one')
    const location = await client.begin('small/app')
    const big = randomBytes(3000)
    const refused = await client.fetch(`${location}?digest=${digestOf(big)}`, { method: 'PUT', body: big })
    const [error] = (
      (await refused.json()) as { errors: { code: string; message: string; detail: { allowed: number } }[] }
    ).errors
    assert.equal(refused.status, 403)
    assert.equal(error?.code, 'DENIED')
    assert.match(error.message, /namespace small uses \d+ of 2000 bytes allowed, and this needs 3000 more/)

    const first = await client.image('team/app', 'first')
    assert.equal((await client.putManifest('team/app', 'v1', first)).status, 201)
    assert.equal((await client.putManifest('team/app', 'v1', first)).status, 201)
    const second = await client.putManifest('team/app', 'v1', await client.image('team/app', 'second'))
    assert.equal(second.status, 403)
    assert.equal(await codeOf(second), 'DENIED')
  })
})

describe('webhooks', () => {
  it('tell of a push after the receiver was away, signed', async () => {
    const received: { readonly body: Buffer; readonly signature: unknown }[] = []
    let statuses = [500]
    const receiver: Server = createServer((request, response) => {
      void buffer(request).then((body) => {
        received.push({ body, signature: request.headers['x-hub-signature-256'] })
        response.writeHead(statuses.shift() ?? 204).end()
      })
    })
    receiver.listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    const { port } = receiver.address() as AddressInfo
    try {
      await using registry = await withSettings({
        webhooks: [{ name: 'ci', url: `http://127.0.0.1:${port}/hook`, secret: 's3cret', events: ['push'] }],
      })
      const client = new TestClient(registry.url)
      const digest = await client.putImage('team/app', 'v1')
      await eventually('the second attempt', () => received.length === 2)
      const [first, second] = received
      assert.deepEqual(first?.body, second?.body)
      const { events } = JSON.parse(String(second?.body)) as {
        events: { action: string; target: { repository: string; tag: string; digest: string } }[]
      }
      assert.deepEqual(
        events.map(({ action, target }) => [action, target.repository, target.tag, target.digest]),
        [['push', 'team/app', 'v1', digest]],
      )
      const expected = createHmac('sha256', 's3cret')
        .update(second?.body ?? '')
        .digest('hex')
      assert.equal(second?.signature, `sha256=${expected}`)
      await eventually('the delivery in the log', async () => {
        const { deliveries } = await document<{ deliveries: { state: string; attempts: number }[] }>(
          client.fetch('/api/v1/deliveries'),
        )
        return deliveries[0]?.state === 'delivered' && deliveries[0].attempts === 2
      })
    } finally {
      statuses = []
      receiver.close()
    }
  })
})

describe('search and pages', () => {
  it('finds by name and description, the best first', async () => {
    await using registry = await RegistryProcess.start()
    const client = new TestClient(registry.url)
    for (const name of ['team/webserver', 'web', 'team/web', 'other/thing']) await client.putImage(name, 'v1')
    const patch = (name: string, body: object): Promise<Response> =>
      client.fetch(`/api/v1/repositories/${name}`, { method: 'PATCH', body: JSON.stringify(body) })
    assert.equal((await patch('other/thing', { description: 'serves the Web, 100% well' })).status, 204)
    assert.equal((await patch('other/thing', { nonsense: 1 })).status, 400)
    await client.fetch('/api/v1/repositories/team/webserver/-/official', { method: 'PUT' })
    const search = (query: string) =>
      document<{ num_results: number; results: { name: string; is_official: boolean }[] }>(
        client.fetch(`/v1/search?${query}`),
      )
    const { num_results: count, results } = await search('q=web')
    assert.equal(count, 4)
    assert.deepEqual(
      results.map(({ name, is_official: official }) => [name, official]),
      [
        ['web', false],
        ['team/web', false],
        ['team/webserver', true],
        ['other/thing', false],
      ],
    )
    assert.deepEqual(
      (await search('q=100%25')).results.map(({ name }) => name),
      ['other/thing'],
    )
    assert.deepEqual(
      (await search('q=team%20server')).results.map(({ name }) => name),
      ['team/webserver'],
    )
    assert.equal((await search('q=web&n=2&page=2')).results.length, 2)
  })

  it('shows repositories, tags and images, and what deleting a tag frees', async () => {
    await using registry = await RegistryProcess.start()
    const client = new TestClient(registry.url)
    const history = [{ created_by: 'ADD layer' }, { created_by: 'ENV A=b', empty_layer: true }]
    const config = await client.putBlob(
      'team/app',
      JSON.stringify({
        architecture: 'arm64',
        os: 'linux',
        config: { Env: ['A=b'], Entrypoint: ['/x'], ExposedPorts: { '80/tcp': {} }, Labels: { l: '1' } },
        rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] },
        history,
      }),
    )
    const layer = await client.putBlob('team/app', 'a layer')
    const image = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
    }
    const digest = digestOf(JSON.stringify(image))
    for (const tag of ['1.9', '1.10', 'latest']) await client.putManifest('team/app', tag, image)
    const signature = await client.putBlob('team/app', 'signature')
    await client.putManifest('team/app', digestOf('x').slice(7, 20), {
      ...image,
      artifactType: 'application/vnd.cncf.notary.signature',
      layers: [{ mediaType: 'application/jose+json', ...signature }],
      subject: { mediaType: image.mediaType, digest, size: JSON.stringify(image).length },
    })
    const path = '/api/v1/repositories/team/app'
    const tags = await document<{ total: number; results: { name: string; aliases: string[] }[] }>(
      client.fetch(`${path}/-/tags?q=.&sort=semver`),
    )
    assert.deepEqual(
      tags.results.map(({ name, aliases }) => [name, aliases.toSorted()]),
      [
        ['1.10', ['1.9', 'latest']],
        ['1.9', ['1.10', 'latest']],
      ],
    )
    const shown = await document<Record<string, unknown>>(client.fetch(`${path}/-/manifests/1.9`))
    assert.deepEqual(
      [shown['digest'], (shown['config'] as { exposed_ports: unknown }).exposed_ports],
      [digest, ['80/tcp']],
    )
    assert.deepEqual(
      (shown['history'] as { size: number }[]).map(({ size }) => size),
      [7, 0],
    )
    assert.deepEqual(
      (shown['referrers'] as { kind: string }[]).map(({ kind }) => kind),
      ['signature'],
    )
    assert.equal((await client.fetch(`${path}/-/star`, { method: 'PUT' })).status, 403)

    const remove = (body: object) =>
      document<{ manifests: string[]; bytes: number }>(
        client.fetch(`${path}/-/delete-tags`, { method: 'POST', body: JSON.stringify(body) }),
      )
    assert.deepEqual(await remove({ tags: ['1.9'], dry_run: true }), {
      dry_run: true,
      tags: ['1.9'],
      manifests: [],
      bytes: 0,
    })
    const all = await remove({ tags: ['1.9', '1.10', 'latest'], dry_run: true })
    assert.deepEqual(all.manifests, [digest])
    assert.equal(all.bytes, JSON.stringify(image).length + 7)
    await remove({ tags: ['1.9', '1.10', 'latest'] })
    assert.equal((await client.fetch(`${path}/-/manifests/1.9`)).status, 404)
    const { total } = await document<{ total: number }>(client.fetch('/api/v1/repositories?q=app'))
    assert.equal(total, 1)
    const foreign = await client.fetch(`${path}/-/star`, {
      method: 'PUT',
      headers: { Origin: 'https://evil.test' },
    })
    assert.equal(foreign.status, 403)
  })

  it('is found by an engine that searches this host', async () => {
    await using registry = await RegistryProcess.start()
    await new TestClient(registry.url).putImage('team/app', 'v1')
    await using client = openRegistryClient()
    const { host } = new URL(registry.url)
    assert.deepEqual(await client.search(host, { term: 'app', limit: 25 }), [
      { name: 'team/app', description: '', stars: 0, official: false, automated: false },
    ])
  })

  it('shows and does only what the caller may', async () => {
    const access = {
      admins: ['root'],
      anonymous: ['public/**'],
      rules: [{ repository: 'team/**', users: ['ann'], actions: ['pull', 'push'] }],
    }
    await using registry = await withSettings({ access }, ['root', 'ann', 'bob'])
    const client = new TestClient(registry.url)
    const as = (user: string, path: string, init: RequestInit = {}): Promise<Response> =>
      client.fetch(path, {
        ...init,
        headers: { Authorization: `Basic ${Buffer.from(`${user}:secret-1`).toString('base64')}` },
      })
    for (const name of ['public/app', 'team/app', 'hidden/app']) {
      const empty = '{}'
      const uploads = await as('root', `/v2/${name}/blobs/uploads/?digest=${digestOf(empty)}`, {
        method: 'POST',
        body: empty,
      })
      assert.equal(uploads.status, 201)
      const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(empty), size: 2 }
      const mediaType = 'application/vnd.oci.image.manifest.v1+json'
      const manifest = { schemaVersion: 2, mediaType, config, layers: [] }
      const put = { method: 'PUT', body: Buffer.from(JSON.stringify(manifest)) }
      assert.equal((await as('root', `/v2/${name}/manifests/v1`, put)).status, 201)
    }
    const names = async (response: Promise<Response>): Promise<string[]> =>
      (await document<{ results: { name: string }[] }>(response)).results.map(({ name }) => name).toSorted()
    assert.deepEqual(await names(client.fetch('/v1/search?q=app')), ['public/app'])
    assert.deepEqual(await names(as('ann', '/v1/search?q=app')), ['public/app', 'team/app'])
    assert.deepEqual(await names(as('root', '/api/v1/repositories')), [
      'hidden/app',
      'public/app',
      'team/app',
    ])
    assert.equal((await as('bob', '/api/v1/repositories/team/app')).status, 403)
    assert.equal((await client.fetch('/api/v1/repositories/team/app')).status, 401)

    const star = { method: 'PUT' }
    assert.equal((await as('ann', '/api/v1/repositories/public/app/-/star', star)).status, 204)
    assert.equal((await as('ann', '/api/v1/repositories/public/app/-/star', star)).status, 204)
    assert.equal((await as('bob', '/api/v1/repositories/public/app/-/star', star)).status, 204)
    const shown = await document<{ stars: number }>(client.fetch('/api/v1/repositories/public/app'))
    assert.equal(shown.stars, 2)
    for (const path of ['/api/v1/storage', '/api/v1/deliveries', '/api/v1/upstreams']) {
      assert.deepEqual([(await as('ann', path)).status, (await as('root', path)).status], [403, 200], path)
    }
    const official = '/api/v1/repositories/team/app/-/official'
    assert.deepEqual(
      [(await as('ann', official, star)).status, (await as('root', official, star)).status],
      [403, 204],
    )
    const remove = { method: 'DELETE' }
    assert.equal((await as('ann', '/api/v1/repositories/team/app/-/tags/v1', remove)).status, 403)
    assert.equal(
      (await as('ann', '/api/v1/repositories/team/app', { method: 'PATCH', body: '{}' })).status,
      204,
    )
  })

  it('is alive, ready and measured', async () => {
    await using registry = await RegistryProcess.start()
    const client = new TestClient(registry.url)
    assert.equal((await client.fetch('/healthz')).status, 200)
    assert.equal((await client.fetch('/readyz')).status, 200)
    await client.putImage('team/app', 'v1')
    assert.equal(await metric(client, 'berth_registry_blobs'), 2)
    const puts = 'berth_registry_requests_total{method="PUT",route="ManifestPut",status="201"}'
    assert.equal(await metric(client, puts), 1)
    const { blobs } = await document<{ blobs: number }>(client.fetch('/api/v1/storage'))
    assert.equal(blobs, 2)
    assert.match(await (await client.fetch('/api/v1/upstreams')).text(), /^\{"upstreams":\[\]\}$/)
  })
})

/** Fetching images with a real daemon from a registry that fails in every way there is: what is fetched again, what is left. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { digestOf } from '#base/digest.ts'
import { mediaTypes } from '#oci/image-spec.ts'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import { TestDaemon } from '#test/support/daemon.ts'
import { noise, RegistryContents } from '#test/support/registry-images.ts'
import { ScriptedRegistry } from '#test/support/scripted-registry.ts'
import type { Faults } from '#test/support/scripted-registry-server.ts'

/** As much as a kill may cost, and as one request asks for; see downloadLimits. */
const WINDOW = 8 << 20
const RANGE = 15 << 17

interface Message {
  readonly status?: string
  readonly id?: string
  readonly error?: string
  readonly message?: string
}

interface Pulled {
  readonly status: number
  readonly messages: readonly Message[]
  readonly error: string | undefined
}

const hasDocker = spawnSync('docker', ['--version']).status === 0
const base = await busyboxTar()
const large = await tarOf(member({ path: 'data/one' }, noise(24 << 20, 'one')))
const other = await tarOf(member({ path: 'data/two' }, noise(9 << 20, 'two')))
const config = { Cmd: ['sh', '-c', 'cat /etc/passwd | wc -l; wc -c < /data/one'] }

describe('pull', () => {
  let daemon: TestDaemon
  let registry: ScriptedRegistry

  before(async () => {
    daemon = await TestDaemon.start()
    registry = await ScriptedRegistry.start(daemon)
  })
  after(async () => {
    await registry[Symbol.asyncDispose]()
    await daemon[Symbol.asyncDispose]()
  })

  /** What the registry has sent, once it sends no more. */
  async function settled(): Promise<number> {
    for (let before = -1; ;) {
      const { sent } = await registry.statistics()
      if (sent === before) return sent
      before = sent
      await delay(300)
    }
  }

  async function pull(name: string, tag = '1'): Promise<Pulled> {
    const from = encodeURIComponent(`${registry.host}/${name}`)
    const { status, text } = await daemon.call('POST', `/images/create?fromImage=${from}&tag=${tag}`)
    const messages = text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line) as Message)
    const last = messages.at(-1)
    return { status, messages, error: status === 200 ? last?.error : last?.message }
  }

  async function images(): Promise<readonly string[]> {
    const listed = (await daemon.call('GET', '/images/json?all=1')).json<{ RepoTags: string[] }[]>()
    return listed.flatMap(({ RepoTags }) => RepoTags)
  }

  function directory(...path: string[]): string[] {
    const at = join(daemon.marks.dataRoot, ...path)
    return existsSync(at) ? readdirSync(at) : []
  }

  /** Nothing of an image is there, but for bytes to go on with. */
  async function assertNothing(options: { readonly ingests: boolean }): Promise<void> {
    assert.deepEqual(await images(), [])
    for (const place of [['layers', 'sha256'], ['blobs', 'sha256'], ['staging']]) {
      assert.deepEqual(directory(...place), [], place.join('/'))
    }
    assert.equal(directory('ingests').length > 0, options.ingests, directory('ingests').join())
    await daemon.assertNoLeaks()
  }

  async function removeImages(): Promise<void> {
    for (const tag of await images())
      await daemon.call('DELETE', `/images/${encodeURIComponent(tag)}?force=1`)
    await daemon.call('POST', `/images/prune?filters=${encodeURIComponent('{"dangling":["false"]}')}`)
    await assertNothing({ ingests: false })
  }

  // One that fails does not take the others with it.
  afterEach(async () => {
    for (const tag of await images())
      await daemon.call('DELETE', `/images/${encodeURIComponent(tag)}?force=1`)
  })

  /** Docker's client where it is installed; ours says the same. */
  const client = (...args: string[]) => (hasDocker ? daemon.docker(...args) : daemon.berth(...args))

  it('fetches an image that runs, and says what Docker says', async () => {
    const contents = new RegistryContents()
    const { digest, layers } = contents.image({ layers: [base, large], config }, '1')
    await registry.holds(contents)
    await registry.does({})

    const { messages, error } = await pull('team/demo')
    assert.equal(error, undefined)
    const name = `${registry.host}/team/demo:1`
    assert.deepEqual(messages[0], { status: 'Pulling from team/demo', id: '1' })
    assert.deepEqual(
      messages.slice(-2).map(({ status }) => status),
      [`Digest: ${digest}`, `Status: Downloaded newer image for ${name}`],
    )
    for (const { digest: layer } of layers) {
      const told = messages.filter(({ id }) => id === layer.slice(7, 19)).map(({ status }) => status)
      const once = told.filter((status, at) => status !== told[at - 1] && status !== 'Waiting')
      assert.deepEqual(
        once.filter((status) => status !== 'Downloading' && status !== 'Extracting'),
        ['Pulling fs layer', 'Verifying Checksum', 'Download complete', 'Pull complete'],
      )
    }
    const run = daemon.berth('run', '--rm', '--network', 'none', name)
    assert.equal(run.stdout, `3\n${24 << 20}\n`, run.stderr)
    const inspected = (await daemon.call('GET', `/images/${name}/json`)).json<{ RepoDigests: string[] }>()
    assert.deepEqual(inspected.RepoDigests, [`${registry.host}/team/demo@${digest}`])

    await registry.does({})
    const again = await pull('team/demo')
    assert.equal(again.messages.at(-1)?.status, `Status: Image is up to date for ${name}`)
    const { requests } = await registry.statistics()
    assert.deepEqual(
      requests.filter((request) => request.startsWith('GET /v2/team')),
      [],
    )
    const pulled = client('pull', name)
    assert.equal(
      pulled.stdout,
      `1: Pulling from team/demo\nDigest: ${digest}\nStatus: Image is up to date for ${name}\n${name}\n`,
      pulled.stderr,
    )
    await removeImages()
    assert.match(client('pull', name).stdout, /Status: Downloaded newer image for /)
    await removeImages()
  })

  it('takes both of several names and tags of one image, by digest too, and tells of it', async () => {
    const contents = new RegistryContents()
    await registry.holds(contents)
    const none = client('pull', '--all-tags', `${registry.host}/names/none`)
    assert.match(none.stderr, /no tags in the repository/)
    const { digest } = contents.image({ layers: [base] }, '1')
    contents.tags.set('2', digest)
    await registry.holds(contents)
    await registry.does({})
    const since = Math.floor(Date.now() / 1000)
    const name = `${registry.host}/names/demo`
    assert.match(
      client('pull', '--all-tags', name).stdout,
      new RegExp(`Downloaded newer image for ${name}\n`),
    )
    assert.match(client('pull', `${name}@${digest}`).stdout, /Image is up to date/)
    assert.deepEqual([...(await images())].toSorted(), [`${name}:1`, `${name}:2`])
    const events = (
      await daemon.call('GET', `/events?since=${since}&until=${since + 2}&filters={"event":["pull"]}`)
    ).text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { Actor: { ID: string; Attributes: { name: string } } }).Actor)
    assert.deepEqual(
      events
        .filter(({ Attributes }) => Attributes.name === name)
        .map(({ ID, Attributes }) => [ID, Attributes.name]),
      [
        [`${name}:1`, name],
        [`${name}:2`, name],
      ],
    )
    await removeImages()
  })

  for (const percent of [1, 50, 99]) {
    it(`goes on after a cut at ${percent} %`, async () => {
      const contents = new RegistryContents()
      const { layers } = contents.image({ layers: [large, other] }, '1')
      const size = layers.reduce((sum, layer) => sum + layer.size, 0)
      await registry.holds(contents)
      await registry.does({ cutAfter: Math.floor((size * percent) / 100), tooMany: 0 })
      const failed = pull('cut/demo').catch(() => undefined)
      // Everything is cut from there on; the daemon is killed while it tries again.
      const first = await settled()
      await daemon.down('SIGKILL')
      await failed
      await daemon.up()
      await assertNothing({ ingests: true })

      await registry.does({})
      const { error } = await pull('cut/demo')
      assert.equal(error, undefined)
      const { sent } = await registry.statistics()
      const again = first + sent - size
      assert.ok(again < 4 << 20, `${again} bytes fetched again`)
      await removeImages()
    })
  }

  it('fetches no more than the window again after a kill, also when the buffers of the kernel were full', async () => {
    const contents = new RegistryContents()
    const { layers } = contents.image({ layers: [large, other] }, '1')
    const size = layers.reduce((sum, layer) => sum + layer.size, 0)
    await registry.holds(contents)
    await registry.does({ slow: 1 })
    const failed = pull('full/demo').catch(() => undefined)
    while ((await registry.statistics()).sent < size / 4) await delay(5)
    // What was asked for goes on arriving, and nobody reads it.
    process.kill(daemon.pid, 'SIGSTOP')
    const first = await settled()
    await daemon.down('SIGKILL')
    await failed
    await daemon.up()
    await registry.does({})
    const { error } = await pull('full/demo')
    assert.equal(error, undefined)
    const again = first + (await registry.statistics()).sent - size
    assert.ok(again < WINDOW, `${again} bytes fetched again`)
    await removeImages()
  })

  it('goes on after the daemon is killed in the middle, again and again', async () => {
    const contents = new RegistryContents()
    const { layers } = contents.image({ layers: [large, other] }, '1')
    const size = layers.reduce((sum, layer) => sum + layer.size, 0)
    await registry.holds(contents)
    await registry.does({ slow: 1 })
    for (let round = 1; round <= 3; round++) {
      const failed = pull('kill/demo').catch(() => undefined)
      while ((await registry.statistics()).sent < (round * size) / 4) await delay(5)
      await daemon.down('SIGKILL')
      await failed
      await daemon.up()
      assert.deepEqual(await images(), [])
    }
    const { error } = await pull('kill/demo')
    assert.equal(error, undefined)
    const { sent } = await registry.statistics()
    assert.ok(sent - size < 3 * WINDOW, `${sent - size} bytes fetched again`)
    await removeImages()
  })

  it('stops when its client goes, and keeps the bytes', async () => {
    const contents = new RegistryContents()
    const { layers } = contents.image({ layers: [large] }, '1')
    await registry.holds(contents)
    await registry.does({ slow: 2 })
    const from = encodeURIComponent(`${registry.host}/cancel/demo`)
    const response = await daemon.open('POST', `/images/create?fromImage=${from}&tag=1`)
    while ((await registry.statistics()).sent < layers[0]!.size / 2) await delay(5)
    response.on('error', () => undefined)
    response.destroy()
    const first = await settled()
    assert.ok(first < layers[0]!.size)
    await assertNothing({ ingests: true })
    await registry.does({})
    await pull('cancel/demo')
    assert.ok(first + (await registry.statistics()).sent - layers[0]!.size < 4 << 20)
    await removeImages()
  })

  it('is done once for two who ask', async () => {
    const contents = new RegistryContents()
    const { layers } = contents.image({ layers: [large] }, '1')
    contents.image({ layers: [large, base] }, '2')
    await registry.holds(contents)
    await registry.does({ slow: 1 })
    const both = await Promise.all([pull('two/demo', '1'), pull('two/demo', '2'), pull('two/demo', '1')])
    assert.deepEqual(
      both.map(({ error }) => error),
      [undefined, undefined, undefined],
    )
    const { requests } = await registry.statistics()
    const gets = requests.filter((request) => request.includes(`/blobs/${layers[0]?.digest}`))
    assert.equal(gets.length, Math.ceil(layers[0]!.size / RANGE), gets.join('\n'))
    await removeImages()
  })

  describe('gives one clear error and leaves nothing', () => {
    const cases: readonly {
      readonly name: string
      readonly make: (contents: RegistryContents) => void
      readonly faults?: Faults
      readonly reason: RegExp
    }[] = [
      {
        name: 'a tampered blob',
        make: (contents) => void contents.image({ layers: [base] }, '1'),
        faults: { flip: 5000 },
        reason: /^filesystem layer verification failed for digest sha256:/,
      },
      {
        name: 'a layer with another diffID than the config says',
        make: (contents) => void contents.image({ layers: [base], diffIds: [digestOf(large)] }, '1'),
        reason: /^layer has digest sha256:\w+ instead of sha256:/,
      },
      {
        name: 'a blob that is shorter than the manifest says',
        make: (contents) => {
          const { layers } = contents.image({ layers: [base] })
          const short = [{ ...layers[0], size: layers[0]!.size + 100 }]
          contents.image({ layers: [base], manifest: { layers: short } }, '1')
        },
        reason: /blob sha256:|bytes/,
      },
      {
        name: 'an oversized manifest (CVE-2021-21285)',
        make: (contents) =>
          void contents.image({ layers: [base], manifest: { annotations: { a: 'x'.repeat(5 << 20) } } }, '1'),
        reason: /manifest|larger|bytes/,
      },
      {
        name: 'an archive with a path out of the root (CVE-2018-15664)',
        make: (contents) => void contents.image({ layers: [hostile] }, '1'),
        reason: /\.\.|path|outside/,
      },
      {
        name: 'a bomb',
        make: (contents) => void contents.image({ layers: [bomb], compress: () => packedBomb }, '1'),
        reason: /archive is larger than \d+ bytes when decompressed/,
      },
      {
        name: 'a document that is manifest and index (CVE-2021-41190)',
        make: (contents) => void contents.image({ layers: [base], manifest: { manifests: [] } }, '1'),
        reason: /ambiguous/,
      },
      {
        name: 'a digest that is a path (CVE-2024-3727)',
        make: (contents) => {
          const layers = [{ mediaType: mediaTypes.ociLayerGzip, digest: 'sha256:../../x', size: 1 }]
          contents.image({ layers: [base], manifest: { layers } }, '1')
        },
        reason: /invalid digest/,
      },
      {
        name: 'a missing repository',
        make: () => undefined,
        reason: /not found|unknown|denied/,
      },
      {
        name: 'a registry that always answers 429',
        make: (contents) => void contents.image({ layers: [base] }, '1'),
        faults: { tooMany: 1000, retryAfter: 0 },
        reason: /toomanyrequests|slow down|too many/i,
      },
    ]
    for (const { name, make, faults = {}, reason } of cases) {
      it(name, async () => {
        const contents = new RegistryContents()
        make(contents)
        await registry.holds(contents)
        await registry.does(faults)
        const { error, messages } = await pull('fault/demo')
        assert.match(error ?? JSON.stringify(messages.at(-1)), reason)
        await assertNothing({ ingests: false })
      })
    }
  })

  it('can be given up while the registry hangs', async () => {
    const contents = new RegistryContents()
    const { layers } = contents.image({ layers: [base] }, '1')
    const layer = layers[0]!.digest
    await registry.holds(contents)
    await registry.does({ hang: layer })
    const from = encodeURIComponent(`${registry.host}/hang/demo`)
    const response = await daemon.open('POST', `/images/create?fromImage=${from}&tag=1`)
    response.on('error', () => undefined)
    while (!(await registry.statistics()).requests.some((request) => request.includes('/blobs/')))
      await delay(5)
    response.destroy()
    await registry.does({})
    assert.equal((await pull('hang/demo')).error, undefined)
    await removeImages()
  })

  it('takes hard links to files of layers below, whichever comes first', async () => {
    const contents = new RegistryContents()
    const linked = member({ path: 'linked/busybox', type: 'hardlink', link: 'bin/busybox' })
    const small = await tarOf(linked)
    const threaded = await tarOf(
      member({ path: 'again/busybox', type: 'hardlink', link: 'linked/busybox' }),
      member({ path: 'data' }, noise(2 << 20)),
    )
    const run = { Cmd: ['/again/busybox', 'sh', '-c', '/linked/busybox echo linked'] }
    contents.image({ layers: [base, small, threaded], config: run }, '1')
    await registry.holds(contents)
    await registry.does({ slow: 2 })
    const { error } = await pull('link/demo')
    assert.equal(error, undefined)
    const { stdout, stderr } = daemon.berth(
      'run',
      '--rm',
      '--network',
      'none',
      `${registry.host}/link/demo:1`,
    )
    assert.equal(stdout, 'linked\n', stderr)
    await removeImages()
  })

  it('waits as long as a busy registry asks', async () => {
    const contents = new RegistryContents()
    contents.image({ layers: [base] }, '1')
    await registry.holds(contents)
    await registry.does({ tooMany: 2, retryAfter: 1 })
    const started = performance.now()
    assert.equal((await pull('busy/demo')).error, undefined)
    assert.ok(performance.now() - started > 900)
    await removeImages()
  })

  it('never visits the addresses of foreign layers (CVE-2020-15157)', async () => {
    const contents = new RegistryContents()
    const { layers } = contents.image({ layers: [base] })
    const urls = [`http://${registry.host}/elsewhere`]
    const foreign = [{ ...layers[0], mediaType: mediaTypes.dockerForeignLayer, urls }]
    contents.image({ layers: [base], manifest: { layers: foreign } }, '1')
    await registry.holds(contents)
    await registry.does({})
    assert.equal((await pull('foreign/demo')).error, undefined)
    const { requests } = await registry.statistics()
    assert.ok(!requests.some((request) => request.includes('elsewhere')))
    await removeImages()
  })
})

const hostile = await tarOf(member({ path: '../../escape' }, 'x'))
const bomb = Buffer.alloc(0)
const hundredMegabytes = gzipSync(Buffer.alloc(100 << 20))
const packedBomb = Buffer.concat(Array.from({ length: 12 }, () => hundredMegabytes))

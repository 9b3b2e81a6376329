/** A registry served by the engine itself, over the same data root: `--registry-listen`, and the section `registry`. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { hashSync } from 'bcryptjs'
import type { DiskAccount } from '#api/disk-account.ts'
import type { Finding } from '#api/finding.ts'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { NODE, REPOSITORY, type Result, run } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { noise } from '#test/support/registry-images.ts'

const HOST = '127.0.0.1:5000'

const acquired = new AsyncDisposableStack()
let config: string
let api: EngineApi

before(async () => {
  config = mkdtempSync(join(tmpdir(), 'berth-own-registry-'))
  acquired.defer(() => rmSync(config, { recursive: true }))
  writeFileSync(join(config, 'htpasswd'), `ann:${hashSync('sesame', 4)}\n`)
  const registry = {
    htpasswd: join(config, 'htpasswd'),
    access: { anonymous: ['**'] },
    collection: { interval: '1s', grace: '1s' },
  }
  writeFileSync(join(config, 'daemon.json'), JSON.stringify({ registry }))
  const args = ['--config-file', join(config, 'daemon.json'), '--registry-listen', HOST]
  api = acquired.use(await EngineApi.start({ args }))
  assert.equal(berth('login', '-u', 'ann', '-p', 'sesame', HOST).code, 0)
})
after(() => acquired.disposeAsync())

function berth(...args: string[]): Result {
  return api.daemon.berth('--config', config, ...args)
}

function ok({ code, stdout, stderr }: Result): string {
  assert.equal(code, 0, stderr + stdout)
  return stdout
}

describe('the program', () => {
  it('says nothing of Node', () => {
    const program = join(import.meta.dirname, '../../bin/berth')
    const { host } = api.daemon
    const { stderr } = api.daemon.inside(
      program,
      '-H',
      host,
      '--config',
      config,
      'login',
      '-u',
      'ann',
      '-p',
      'sesame',
      HOST,
    )
    assert.match(stderr, /^WARNING! A password in --password/)
    assert.doesNotMatch(stderr, /ExperimentalWarning|--trace-warnings/)
  })
})

/** What the registry says, asked in the daemon's namespace. */
function ask(path: string): string {
  return ok(api.daemon.inside('curl', '-s', `http://${HOST}${path}`))
}

function files(directory: string): string[] {
  return readdirSync(join(api.daemon.marks.dataRoot, 'registry', directory), {
    recursive: true,
    withFileTypes: true,
  })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
}

/** Tags it, pushes it, and forgets its name. */
function publish(image: string, name: string): void {
  ok(berth('tag', image, `${HOST}/${name}`))
  ok(berth('push', `${HOST}/${name}`))
  ok(berth('rmi', `${HOST}/${name}`))
}

async function fsck(repair: boolean): Promise<Finding[]> {
  const { text } = await api.call('POST', `/berth/fsck?repair=${Number(repair)}`)
  const messages = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as { finding?: Finding })
  return messages.flatMap(({ finding }) => finding ?? [])
}

async function balanced(): Promise<DiskAccount> {
  const { dataRoot } = api.daemon.marks
  const du = () => Number.parseInt(run('du', ['-s', '--block-size=1', dataRoot]).stdout, 10)
  return api.until('df and du to say the same', async () => {
    const first = du()
    const { Berth } = (await api.call('GET', '/system/df')).json<{ Berth: DiskAccount }>()
    assert.equal(
      Berth.Categories.reduce((total, { Size }) => total + Size, 0),
      Berth.Total,
    )
    return Berth.Total === first && first === du() ? Berth : undefined
  })
}

describe('the registry of the engine', () => {
  it('takes what the engine pushes and gives it back', async () => {
    publish('busybox', 'team/app:1')
    ok(berth('rmi', 'busybox'))
    assert.equal((await api.call('GET', '/images/json')).text.trim(), '[]')
    const said = ok(berth('run', '--rm', `${HOST}/team/app:1`, 'echo', 'from our own'))
    assert.equal(said, 'from our own\n')
    assert.match(ask('/v2/team/app/tags/list'), /"tags":\["1"\]/)
  })

  it('shares the configuration with the engine as one file, and is a category of the account', async () => {
    const shared = files('blobs').filter((file) => statSync(file).nlink === 2)
    assert.equal(shared.length, 1)
    const account = await balanced()
    assert.deepEqual(account.Unexplained, [])
    const registry = account.Categories.find(({ Name }) => Name === 'Registry')
    assert.ok((registry?.Size ?? 0) > 100_000)
  })

  it('is shown by info', async () => {
    const { Berth } = (await api.call('GET', '/info')).json<{
      Berth: { Registry: { URL: string; Root: string } }
    }>()
    assert.deepEqual(Berth.Registry, {
      URL: `http://${HOST}`,
      Root: join(api.daemon.marks.dataRoot, 'registry'),
    })
    assert.match(ok(api.daemon.berth('info')), /^ Registry Served: http:\/\/127\.0\.0\.1:5000$/m)
  })

  it('keeps what it has when the engine starts again, and serves nothing while it is down', async () => {
    await api.daemon.down()
    assert.notEqual(api.daemon.inside('curl', '-s', `http://${HOST}/v2/`).code, 0)
    await api.daemon.up()
    ok(berth('rmi', `${HOST}/team/app:1`))
    ok(berth('pull', `${HOST}/team/app:1`))
    ok(berth('tag', `${HOST}/team/app:1`, 'busybox'))
    assert.deepEqual(await fsck(false), [])
  })

  it('shows nothing of a push that a kill of the engine cut, and takes it the next time', async () => {
    await api.import('large', await tarOf(member({ path: 'noise' }, noise(32 << 20))))
    ok(berth('tag', 'large', `${HOST}/team/large`))
    const before = files('blobs').length
    const program = join(REPOSITORY, 'src/bin/berth.ts')
    const target = ['--config', config, '-H', api.daemon.host]
    const push = spawn(NODE, [program, ...target, 'push', `${HOST}/team/large`])
    const ended = once(push, 'exit')
    await api.until('a part of the upload', async () =>
      files('uploads').some((file) => statSync(file).size > 1 << 20),
    )
    await api.daemon.down('SIGKILL')
    assert.notDeepEqual(await ended, [0, null])
    await api.daemon.up()
    assert.match(ask('/v2/team/large/tags/list'), /NAME_UNKNOWN|"tags":(?:\[\]|null)/)
    assert.ok(files('blobs').length <= before + 1, 'at most the configuration was complete')
    assert.deepEqual(await fsck(false), [])
    publish('large', 'team/large')
    ok(berth('pull', `${HOST}/team/large`))
    ok(berth('rmi', `${HOST}/team/large`, 'large'))
    await balanced()
  })

  it('is checked by fsck, which takes damaged blobs away so that a push heals them', async () => {
    const [layer] = files('blobs').filter((file) => statSync(file).nlink === 1)
    assert.ok(layer)
    const file = openSync(layer, 'r+')
    writeSync(file, 'damage', 100)
    closeSync(file)
    const [found, ...others] = await fsck(false)
    assert.deepEqual(others, [])
    assert.match(found?.problem ?? '', /in the registry of this engine: has other content/)
    const [image = ''] = found?.damage.images ?? []
    assert.match(image, /^127\.0\.0\.1:5000\/team\/\w+:\w+$/)
    assert.equal((await fsck(true))[0]?.repaired, true)
    const [missing] = await fsck(true)
    assert.match(missing?.problem ?? '', /is missing/)
    assert.match(missing?.action ?? '', new RegExp(`push ${image} again`))
  })

  it('collects its garbage', async () => {
    await api.import('gone', await tarOf(member({ path: 'x' }, noise(2 << 20))))
    const before = new Set(files('blobs'))
    publish('gone', 'team/gone:1')
    const added = files('blobs').filter((file) => !before.has(file))
    assert.ok(added.length > 0)
    const tag = `http://${HOST}/api/v1/repositories/team/gone/-/tags/1`
    ok(api.daemon.inside('curl', '-sf', '-u', 'ann:sesame', '-X', 'DELETE', tag))
    await api.until('the files to go', async () => !files('blobs').some((file) => added.includes(file)))
  })
})

/** A data root is damaged behind the engine's back; fsck says what, whom it hurts and what to do, and repairs what it can. */
import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Finding } from '#api/finding.ts'
import type { FsckMessage } from '#engine/services.ts'
import { busyboxTar } from '#test/support/busybox-image.ts'
import { EngineApi, exec } from '#test/support/engine-api.ts'

let api: EngineApi
let dataRoot: string
let layer: string

before(async () => {
  api = await EngineApi.start()
  dataRoot = api.daemon.marks.dataRoot
  const [name = ''] = readdirSync(join(dataRoot, 'layers/sha256'))
  layer = join(dataRoot, 'layers/sha256', name)
})
after(() => api[Symbol.asyncDispose]())

async function fsck(repair = false): Promise<Finding[]> {
  const answer = await api.call('POST', `/berth/fsck?repair=${Number(repair)}`)
  const messages = answer.text
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line) as FsckMessage & { error?: string })
  assert.equal(messages.find(({ error }) => error !== undefined)?.error, undefined)
  assert.ok(messages.at(-1)?.summary)
  return messages.flatMap(({ finding }) => finding ?? [])
}

/** The archive is that of the layer if it has one, else the compressed one. */
function archiveOf(): string {
  const tar = join(layer, 'layer.tar')
  return existsSync(tar) ? tar : `${tar}.zst`
}

function flip(path: string, at: number): void {
  const byte = readFileSync(path)[at] ?? 0
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.from([byte ^ 1]), 0, 1, at)
  closeSync(file)
}

function old(path: string): void {
  const then = new Date(Date.now() - 3600_000)
  utimesSync(path, then, then)
}

describe('POST /berth/fsck', () => {
  it('finds nothing on a whole data root, also while a container runs', async () => {
    const id = await api.started({ Cmd: ['sleep', '1000'] })
    assert.deepEqual(await fsck(), [])
    await api.remove(id)
  })

  it('removes what nobody needs, and leaves alone what the engine did not make', async () => {
    const orphans = [
      `layers/sha256/${'a'.repeat(64)}`,
      `snapshots/${'b'.repeat(64)}`,
      `containers/${'c'.repeat(64)}`,
      'staging/0123456789abcdef',
      'trash/0123456789abcdef',
    ]
    for (const path of orphans) mkdirSync(join(dataRoot, path), { recursive: true })
    writeFileSync(join(dataRoot, 'blobs/sha256', 'd'.repeat(64)), '{}')
    writeFileSync(join(dataRoot, '.identity.json.tmp'), '{')
    writeFileSync(join(dataRoot, 'notes'), 'mine')
    mkdirSync(join(dataRoot, 'volumes/lost/_data'), { recursive: true })
    const removable = [...orphans, `blobs/sha256/${'d'.repeat(64)}`, '.identity.json.tmp']
    assert.deepEqual(await fsck(), [], 'what is young may belong to something that is being made')
    for (const path of [...removable, 'notes', 'volumes/lost']) old(join(dataRoot, path))

    const found = await fsck()
    assert.deepEqual(
      found.map(({ object }) => object.name).toSorted(),
      [...removable, 'notes', 'volumes/lost'].toSorted(),
    )
    assert.ok(removable.every((path) => existsSync(join(dataRoot, path))))

    await fsck(true)
    assert.ok(removable.every((path) => !existsSync(join(dataRoot, path))))
    const rest = await fsck(true)
    assert.deepEqual(rest.map(({ object }) => object.name).toSorted(), ['notes', 'volumes/lost'])
    assert.match(rest[0]?.action ?? '', /the engine did not make it/)
    for (const path of ['notes', 'volumes/lost']) rmSync(join(dataRoot, path), { recursive: true })
  })

  it('writes a damaged index again from the archive, while a container uses the layer', async () => {
    const id = await api.started({ Cmd: ['sleep', '1000'] }, 'user')
    const made = readdirSync(layer).find((name) => name === 'index.erofs') ?? 'layer.json'
    truncateSync(join(layer, made), 10)
    const [found, ...others] = await fsck()
    assert.deepEqual(others, [])
    assert.equal(found?.object.kind, 'layer')
    assert.deepEqual(found.damage, { images: ['busybox:latest'], containers: ['user'] })
    const [repaired] = await fsck(true)
    assert.equal(
      repaired?.action,
      'done: make it again from its archive; what runs sees that after a restart: user',
    )
    assert.deepEqual(await fsck(), [])
    await api.call('POST', `/containers/${id}/restart?t=0`, undefined, 204)
    assert.equal((await exec(api, id, 'echo still here')).out, 'still here\n')
    assert.equal((await api.once({ Cmd: 'echo new' })).out, 'new\n')
    await api.remove(id)
  })

  for (const [what, spoil] of [
    ['has a flipped bit', () => flip(archiveOf(), 4000)],
    ['is cut off', () => truncateSync(archiveOf(), 4096)],
    ['is empty', () => truncateSync(archiveOf(), 0)],
    ['is missing', () => rmSync(layer, { recursive: true })],
  ] as const) {
    it(`tells how to get a layer again whose archive ${what}, and that is enough`, async () => {
      spoil()
      const [found] = await fsck(true)
      assert.equal(found?.repaired, false)
      assert.match(found.action, /^pull, load or build \w+:latest again$/)
      await api.import('again', await busyboxTar())
      assert.deepEqual(await fsck(), [])
      assert.equal((await api.once({ Cmd: 'echo new' })).out, 'new\n')
    })
  }

  it('names a damaged configuration, and a container whose files are gone', async () => {
    const id = await api.create({ Cmd: ['true'] }, 'bare')
    rmSync(join(dataRoot, 'snapshots', id), { recursive: true })
    const { Id } = (await api.call('GET', '/images/busybox/json')).json<{ Id: string }>()
    const config = join(dataRoot, 'blobs/sha256', Id.slice(7))
    const bytes = readFileSync(config)
    truncateSync(config, 0)
    const found = await fsck(true)
    assert.deepEqual(
      found.map(({ object, problem, repaired }) => [object.kind, problem, repaired]),
      [
        ['blob', 'has other content than its digest says', false],
        ['container', 'its writable directory is missing', true],
      ],
    )
    writeFileSync(config, bytes)
    assert.deepEqual(await fsck(), [])
    await api.call('POST', `/containers/${id}/start`, undefined, 204)
    assert.equal(await api.wait(id), 0)
    await api.remove(id)
  })
})

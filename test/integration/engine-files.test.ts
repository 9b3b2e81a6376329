/** Files in and out of containers: archives, changes, commits, exports, images as files; with hostile containers. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, existsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { readTar } from '#oci/tar/read-tar.ts'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { EngineApi, exec } from '#test/support/engine-api.ts'
import { buildExchange } from '#test/support/hostile-container.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

/** Path to content (of a file), link target (with "-> ") or type. */
async function contents(bytes: Uint8Array): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  const source = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream()
  for await (const { entry, data } of readTar(source)) {
    const content = Buffer.concat(await Array.fromAsync(data)).toString()
    found[entry.path] =
      entry.type === 'file' ? content : entry.link === undefined ? entry.type : `-> ${entry.link}`
  }
  return found
}

async function get(id: string, path: string): Promise<Record<string, string>> {
  const query = `path=${encodeURIComponent(path)}`
  return contents((await api.call('GET', `/containers/${id}/archive?${query}`)).bytes)
}

async function put(id: string, path: string, tar: Uint8Array, more = ''): Promise<void> {
  await api.call('PUT', `/containers/${id}/archive?path=${encodeURIComponent(path)}${more}`, tar, 200)
}

describe('copies', () => {
  it('go into and come out of a running container', async () => {
    const id = await api.started({ Cmd: FOREVER })
    await put(id, '/tmp', await tarOf(member({ path: 'in', uid: 33, mode: 0o640 }, 'hello')))
    const inside = await exec(api, id, 'cat /tmp/in; stat -c " %u %a" /tmp/in; echo back > /tmp/out')
    assert.equal(inside.out, 'hello 33 640\n')
    assert.deepEqual(await get(id, '/tmp/out'), { out: 'back\n' })
  })

  it('work before the first start and after the end', async () => {
    const id = await api.create({ Cmd: 'cat /in; mkdir /made; echo made > /made/x' })
    await put(id, '/', await tarOf(member({ path: 'in' }, 'before\n')))
    await api.call('POST', `/containers/${id}/start`)
    await api.wait(id)
    assert.equal((await api.logs(id)).out, 'before\n')
    assert.deepEqual(await get(id, '/made'), { made: 'directory', 'made/x': 'made\n' })
    await put(id, '/made', await tarOf(member({ path: 'y' }, 'after\n')))
    assert.deepEqual(await get(id, '/made/y'), { y: 'after\n' })
  })

  it('name what they give after the last element, and leave the name out for what is inside', async () => {
    const { id } = await api.run({ Cmd: 'mkdir -p /d/e; echo x > /d/e/f; ln -s e /d/l; ln -s /d/e/f /abs' })
    const dir = { d: 'directory', 'd/e': 'directory', 'd/e/f': 'x\n', 'd/l': '-> e' }
    assert.deepEqual(await get(id, '/d'), dir)
    assert.deepEqual(await get(id, '/d/'), dir)
    assert.deepEqual(await get(id, 'd'), dir)
    assert.deepEqual(await get(id, '/d/e/../../d'), dir)
    assert.deepEqual(await get(id, '/d/.'), { '': 'directory', e: 'directory', 'e/f': 'x\n', l: '-> e' })
    assert.deepEqual(await get(id, '/d/l'), { l: '-> e' })
    assert.deepEqual(await get(id, '/d/l/.'), { '': 'directory', f: 'x\n' })
    assert.deepEqual(await get(id, '/abs'), { abs: '-> /d/e/f' })
    assert.deepEqual(await get(id, '/d/l/f'), { f: 'x\n' })
    const { headers } = await api.call('HEAD', `/containers/${id}/archive?path=/abs`)
    const stat = JSON.parse(
      Buffer.from(String(headers['x-docker-container-path-stat']), 'base64').toString(),
    ) as Record<string, unknown>
    assert.deepEqual([stat['name'], stat['linkTarget']], ['abs', '/d/e/f'])
    assert.match(
      await api.refused(404, 'GET', `/containers/${id}/archive?path=/d/none`),
      new RegExp(`^Could not find the file /d/none in container ${id}$`),
    )
    for (const path of ['/d/e/f/', '/d/e/f/.', '/abs/']) {
      assert.match(await api.refused(400, 'GET', `/containers/${id}/archive?path=${path}`), /not a directory/)
    }
  })

  it('reach volumes and binds, mounted or not', async () => {
    const host = mkdtempSync(join(tmpdir(), 'berth-bind-'))
    try {
      writeFileSync(join(host, 'h'), 'of the host')
      const Binds = [`${host}:/bind`, 'files-volume:/volume', `${host}:/ro:ro`]
      const id = await api.create({ Cmd: FOREVER, HostConfig: { Binds } })
      const tar = await tarOf(member({ path: 'v' }, 'in the volume'))
      for (const state of ['created', 'running']) {
        if (state === 'running') await api.call('POST', `/containers/${id}/start`)
        assert.deepEqual(await get(id, '/bind/h'), { h: 'of the host' }, state)
        await put(id, '/volume', tar)
        await put(id, '/bind', tar)
        assert.deepEqual(await get(id, '/volume'), { volume: 'directory', 'volume/v': 'in the volume' })
        assert.equal(readFileSync(join(host, 'v'), 'utf8'), 'in the volume')
        rmSync(join(host, 'v'))
        assert.match(await refusedPut(id, '/ro', tar), /mounted volume is marked read-only/)
      }
      const other = await api.run({ Cmd: ['cat', '/x/v'], HostConfig: { Binds: ['files-volume:/x'] } })
      assert.equal(other.out, 'in the volume')
      assert.deepEqual(readdirSync(host), ['h'])
    } finally {
      await api.daemon.removeAll()
      await api.call('DELETE', '/volumes/files-volume')
      rmSync(host, { recursive: true })
    }
  })

  it('write nothing that is read-only, on whatever way it is reached', async () => {
    const host = mkdtempSync(join(tmpdir(), 'berth-bind-'))
    try {
      const tar = await tarOf(member({ path: 'x' }, 'x'))
      const Binds = [`${host}:/ro:ro`]
      const bound = await api.create({ Cmd: FOREVER, HostConfig: { Binds } })
      await put(bound, '/', await tarOf(member({ path: 'way', link: '/ro' })))
      const whole = await api.create({ Cmd: FOREVER, HostConfig: { ReadonlyRootfs: true } })
      for (const state of ['created', 'running']) {
        if (state === 'running')
          for (const id of [bound, whole]) await api.call('POST', `/containers/${id}/start`)
        const way = await api.daemon.call('PUT', `/containers/${bound}/archive?path=/way`, tar)
        assert.ok(way.status >= 400, `${state}: ${way.status}`)
        assert.deepEqual(readdirSync(host), [])
        assert.match(await refusedPut(whole, '/tmp', tar), /container rootfs is marked read-only/)
      }
    } finally {
      rmSync(host, { recursive: true })
    }
  })

  it('refuse a target that is no directory, and a change of kind when that was asked', async () => {
    const { id } = await api.run({ Cmd: 'mkdir /d; echo > /f' })
    const tar = await tarOf(member({ path: 'd' }, 'a file'))
    assert.match(await refusedPut(id, '/f', tar), /extraction point is not a directory/)
    assert.match(await refusedPut(id, '/none', tar, 404), /Could not find the file \/none/)
    assert.match(await refusedPut(id, '/', tar, 400, '&noOverwriteDirNonDir=1'), /cannot overwrite|directory/)
    assert.match(await refusedPut(id, '/', Buffer.from('no archive at all'.repeat(99))), /./)
    assert.deepEqual(await get(id, '/d'), { d: 'directory' })
  })

  it('give everything to the user of the container when that was asked', async () => {
    const id = await api.create({ Cmd: ['stat', '-c', '%u:%g', '/tmp/x'], User: 'www-data' })
    await put(id, '/tmp', await tarOf(member({ path: 'x', uid: 7, gid: 7 }, 'x')), '&copyUIDGID=1')
    await api.call('POST', `/containers/${id}/start`)
    await api.wait(id)
    assert.equal((await api.logs(id)).out, '33:33\n')
  })

  it('show the root of a running container without what the kernel makes up', async () => {
    const id = await api.started({ Cmd: FOREVER })
    const all = await get(id, '/')
    assert.equal(all['proc'], 'directory')
    assert.deepEqual(
      Object.keys(all).filter((path) => /^(proc|sys|dev\/pts|dev\/mqueue)\//.test(path)),
      [],
    )
    assert.match(all['etc/passwd'] ?? '', /^root:/)
  })

  it('begin every name of the root with what the path says', async () => {
    const id = await api.create({ Cmd: FOREVER })
    await put(id, '/', await tarOf(member({ path: 'd/f' }, 'x')))
    const names = async (path: string): Promise<readonly string[]> => {
      const { bytes } = await api.call('GET', `/containers/${id}/archive?path=${path}`)
      return execFileSync('tar', ['-tPf', '-'], { input: bytes, encoding: 'utf8' }).split('\n')
    }
    const whole = await names('/')
    assert.deepEqual([whole[0], whole.includes('/d/f')], ['/', true])
    for (const path of ['.', './', '/.', '/./']) {
      const all = await names(path)
      assert.deepEqual([all[0], all.includes('./d/f')], ['./', true], path)
    }
    assert.deepEqual(await names('/d/./'), ['./', './f', ''])
  })
})

async function refusedPut(
  id: string,
  path: string,
  tar: Uint8Array,
  status = 400,
  more = '',
): Promise<string> {
  return api.refused(status, 'PUT', `/containers/${id}/archive?path=${encodeURIComponent(path)}${more}`, tar)
}

describe('hostile containers', () => {
  it('do not lead copies to the host by exchanging names (CVE-2018-15664)', async () => {
    const outside = join(api.daemon.root, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'f'), 'of the host')
    const program = join(api.daemon.root, 'exchange')
    await buildExchange(program)
    const id = await api.create({ Cmd: ['/exchange', '/race/a', '/race/b'], OpenStdin: true })
    await put(
      id,
      '/',
      await tarOf(
        member({ path: 'exchange', mode: 0o755 }, readFileSync(program)),
        member({ path: 'race', type: 'directory' }),
        member({ path: 'race/a', type: 'directory' }),
        member({ path: 'race/a/f' }, 'of the container'),
        member({ path: 'race/b', link: outside }),
      ),
    )
    await api.call('POST', `/containers/${id}/start`)
    await api.until('the attack', async () => (await api.logs(id)).out === 'ready\n')
    const tar = await tarOf(member({ path: 'written' }, 'x'))
    const answers = { found: 0, missing: 0 }
    const attempt = async (): Promise<void> => {
      for (const path of ['/race/a/f', '/race/a/.', '/race']) {
        // An answer whose subject is exchanged after its beginning is broken off.
        const read = await api.daemon
          .call('GET', `/containers/${id}/archive?path=${path}`)
          .catch(() => undefined)
        answers[read?.status === 200 ? 'found' : 'missing'] += 1
        assert.ok(read?.bytes.includes('of the host') !== true, path)
      }
      const written = await api.daemon.call('PUT', `/containers/${id}/archive?path=/race/a`, tar)
      assert.ok([200, 400, 404].includes(written.status), written.text)
    }
    for (let round = 0; round < 12; round += 1) await Promise.all([attempt(), attempt()])
    assert.deepEqual(readdirSync(outside), ['f'])
    assert.ok(answers.found > 0 && answers.missing > 0, `both were met: ${JSON.stringify(answers)}`)
    assert.equal((await api.inspect(id)).State.Status, 'running')
  })

  it('cannot make the engine execute their programs by a compressed archive (CVE-2026-41567)', async () => {
    const marker = join(api.daemon.root, 'executed')
    const fake = `#!/bin/sh\necho > /executed; echo > ${marker}; exec cat\n`
    const names = ['xz', 'unxz', 'gzip', 'gunzip', 'unpigz', 'pigz', 'zstd', 'unzstd', 'bzip2', 'tar']
    const fakes = await tarOf(
      ...names.flatMap((name) => [
        member({ path: `bin/${name}`, mode: 0o755 }, fake),
        member({ path: `usr/bin/${name}`, mode: 0o755 }, fake),
      ]),
    )
    const stopped = await api.create({ Cmd: FOREVER })
    const running = await api.started({ Cmd: FOREVER })
    const tar = await tarOf(member({ path: 'x' }, 'unpacked'))
    const xz = Buffer.concat([Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), Buffer.alloc(600)])
    for (const id of [stopped, running]) {
      await put(id, '/', fakes)
      for (const compress of [gzipSync, zstdCompressSync]) {
        await put(id, '/tmp', compress(tar))
        assert.deepEqual(await get(id, '/tmp/x'), { x: 'unpacked' })
      }
      assert.match(await refusedPut(id, '/tmp', xz), /xz compression is not supported/)
      assert.ok((await api.call('GET', `/containers/${id}/export`)).bytes.includes('unpacked'))
      await api.refused(404, 'GET', `/containers/${id}/archive?path=/executed`)
    }
    assert.equal(existsSync(marker), false)
  })

  it('cannot be given names that lead out (CVE-2019-14271 class)', async () => {
    const id = await api.started({ Cmd: FOREVER })
    for (const path of ['../../escaped', '/../escaped', 'a/../../../escaped']) {
      const raw = await tarOf(member({ path: 'x'.repeat(path.length) }, 'x'))
      raw.write(path, 0)
      raw.fill(' ', 148, 156)
      const sum = raw.subarray(0, 512).reduce((total, byte) => total + byte, 0)
      raw.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
      await refusedPut(id, '/tmp', raw)
    }
    // A link on the way is followed inside the container.
    const outside = join(api.daemon.root, 'linked')
    mkdirSync(outside)
    const links = tarOf(member({ path: 'l', link: outside }), member({ path: 'l/x' }, 'x'))
    await api.daemon.call('PUT', `/containers/${id}/archive?path=/tmp`, await links)
    assert.deepEqual(readdirSync(outside), [])
  })

  it('has what every container is given made in itself, be its /etc a link to elsewhere', async () => {
    const outside = join(api.daemon.root, 'etc')
    mkdirSync(outside)
    const image = await tarOf(member({ path: 'etc', link: outside }), member({ path: 'sh' }, 'x'))
    await api.call('POST', '/images/create?fromSrc=-&repo=linked', image, 200)
    const id = await api.create({ Image: 'linked', Cmd: ['/sh'] })
    await api.daemon.call('POST', `/containers/${id}/start`)
    assert.deepEqual(readdirSync(outside), [])
  })
})

describe('changes, commits and exports', () => {
  it('shows what was added, changed and deleted, and nothing that the engine put there', async () => {
    const Cmd =
      'test -f /.dockerenv && grep -q "^proc /proc" /etc/mtab && mkdir /new; echo > /new/f; echo x >> /etc/passwd; rm /etc/group; rm -r /var/www; chmod 700 /home'
    const { id } = await api.run({ Cmd, HostConfig: { Binds: ['/tmp:/mounted'], Tmpfs: { '/scratch': '' } } })
    const changes = (await api.call('GET', `/containers/${id}/changes`)).json<
      { Path: string; Kind: number }[]
    >()
    assert.deepEqual(
      changes
        .map(({ Path, Kind }) => `${'CAD'[Kind]} ${Path}`)
        .filter((line) => !/mounted|scratch/.test(line)),
      [
        'C /etc',
        'D /etc/group',
        'C /etc/passwd',
        'C /home',
        'A /new',
        'A /new/f',
        'C /var',
        'D /var/www',
      ].toSorted((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1)),
    )
    const { id: clean } = await api.run({ Cmd: 'true' })
    assert.deepEqual((await api.call('GET', `/containers/${clean}/changes`)).json(), null)
  })

  it('commits files and configuration as an image', async () => {
    const Cmd = 'echo data > /data; rm /etc/group; echo gone > /volume/x'
    const { id } = await api.run({ Cmd, Env: ['A=1'], Volumes: { '/volume': {} } })
    const query = `container=${id}&repo=committed&tag=1&comment=why&author=me&changes=${encodeURIComponent('CMD ["cat", "/data"]\nLABEL k="v w"')}`
    const { Id } = (await api.call('POST', `/commit?${query}`, { WorkingDir: '/etc' }, 201)).json<{
      Id: string
    }>()
    const image = (await api.call('GET', '/images/committed:1/json')).json<{
      Id: string
      Author: string
      Comment: string
      Config: Record<string, unknown>
      RootFS: { Layers: string[] }
    }>()
    assert.deepEqual([image.Id, image.Author, image.Comment], [Id, 'me', 'why'])
    assert.equal(image.RootFS.Layers.length, 2)
    assert.deepEqual(image.Config['Cmd'], ['cat', '/data'])
    assert.deepEqual(image.Config['Labels'], { k: 'v w' })
    const own = await api.once({ Image: 'committed:1' })
    assert.equal(own.out, 'data\n')
    const looked = await api.once({
      Image: 'committed:1',
      Cmd: 'ls /etc/group /volume; echo $A; cat /etc/hosts | wc -l',
    })
    assert.match(looked.err, /\/etc\/group: No such file/)
    assert.match(looked.out, /^\/volume:\n1\n\d+\n$/)
    await api.daemon.removeAll()
    await api.call('DELETE', '/images/committed:1')
  })

  it('exports, imports, saves and loads the same files', async () => {
    const { id } = await api.run({ Cmd: 'echo kept > /kept; rm /etc/group; chown 33 /kept; ln /kept /hard' })
    const exported = (await api.call('GET', `/containers/${id}/export`)).bytes
    const files = await contents(exported)
    assert.deepEqual([files['hard'], files['kept'], files['etc/group']], ['kept\n', '-> hard', undefined])
    await api.import('flat:1', exported)
    const look = { Cmd: 'cat /kept; stat -c "%u %h" /hard; ls /etc/group' }
    const flat = await api.once({ Image: 'flat:1', ...look })
    assert.equal(flat.out, 'kept\n33 2\n')

    await api.call('POST', `/commit?container=${id}&repo=layered&tag=1`, undefined, 201)
    await api.remove(id)
    const before = (await api.call('GET', '/images/layered:1/json')).json<{ Id: string }>()
    const saved = (await api.call('GET', '/images/get?names=layered:1&names=flat:1')).bytes
    for (const name of ['layered:1', 'flat:1']) await api.call('DELETE', `/images/${name}`)
    await api.refused(404, 'GET', '/images/layered:1/json')
    for (const compress of [(bytes: Buffer): Buffer => bytes, gzipSync, zstdCompressSync]) {
      const loaded = await api.call('POST', '/images/load', compress(saved))
      assert.match(loaded.text, /Loaded image: layered:1/)
      assert.deepEqual((await api.call('GET', '/images/layered:1/json')).json<{ Id: string }>().Id, before.Id)
    }
    for (const Image of ['layered:1', 'flat:1']) {
      const ran = await api.once({ Image, ...look })
      assert.equal(ran.out, 'kept\n33 2\n', Image)
      assert.match(ran.err, /No such file/)
    }
    for (const name of ['layered:1', 'flat:1']) await api.call('DELETE', `/images/${name}`)
  })
})

/** Other names, copies and archives of volumes: what they keep, what they refuse, and what a killed daemon leaves. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { EngineApi } from '#test/support/engine-api.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.call('POST', `/volumes/prune?filters=${encodeURIComponent('{"all":["true"]}')}`)
  await api.daemon.assertNoLeaks()
})

interface Inspected {
  readonly Mountpoint: string
  readonly Labels: Record<string, string> | null
  readonly Berth: Record<string, unknown>
}

const using = (Source: string, Target = '/v') => ({
  HostConfig: { Mounts: [{ Type: 'volume', Source, Target }] },
})
const inspect = async (name: string) => (await api.call('GET', `/volumes/${name}`)).json<Inspected>()
const berth = (path: string, ...statuses: number[]) =>
  api.call('POST', `/berth/volumes/${path}`, undefined, ...statuses)

/** A volume with everything that a copy could lose. */
async function rich(name: string): Promise<string> {
  const setup =
    'cd /v; chown 5:6 .; chmod 751 .; mkdir d; echo hello > d/f; chown 1000:1001 d/f; chmod 4750 d/f; ln d/f hard; ln -s /etc/passwd link; mkfifo p; ' +
    'dd if=/dev/zero of=sparse bs=1 count=1 seek=16777215 2>/dev/null; printf end >> sparse; touch -d "2001-02-03 04:05:06" d/f'
  const { code, err } = await api.run({ ...using(name), Cmd: setup })
  assert.equal(code, 0, err)
  await api.daemon.removeAll()
  const { Mountpoint } = await inspect(name)
  python('os.setxattr(sys.argv[1], "user.note", b"kept")', join(Mountpoint, 'd/f'))
  return Mountpoint
}

function python(line: string, ...args: readonly string[]): string {
  return execFileSync('python3', ['-c', `import os, sys; ${line}`, ...args], { encoding: 'utf8' })
}

function checkRich(directory: string): void {
  const file = statSync(join(directory, 'd/f'))
  const top = statSync(directory)
  assert.deepEqual([top.uid, top.gid, top.mode & 0o7777], [5, 6, 0o751])
  assert.deepEqual([file.uid, file.gid, file.mode & 0o7777, file.nlink], [1000, 1001, 0o4750, 2])
  assert.equal(file.mtime.toISOString(), '2001-02-03T04:05:06.000Z')
  assert.equal(statSync(join(directory, 'hard')).ino, file.ino)
  assert.equal(
    python('print(os.getxattr(sys.argv[1], "user.note").decode())', join(directory, 'd/f')),
    'kept\n',
  )
  const sparse = statSync(join(directory, 'sparse'))
  assert.equal(sparse.size, 16777219)
  assert.ok(sparse.blocks * 512 < 1 << 20, `${sparse.blocks} blocks`)
  assert.equal(readFileSync(join(directory, 'sparse')).subarray(-3).toString(), 'end')
  assert.deepEqual(readdirSync(directory).toSorted(), ['d', 'hard', 'link', 'p', 'sparse'])
}

describe('a clone', () => {
  it('has everything that the volume has, and its labels and more', async () => {
    await api.call('POST', '/volumes/create', { Name: 'one', Labels: { a: '1', b: '2' } }, 201)
    await rich('one')
    await berth(`one/clone?name=two&labels=${encodeURIComponent('{"b":"3"}')}`, 201)
    const two = await inspect('two')
    checkRich(two.Mountpoint)
    assert.deepEqual(two.Labels, { a: '1', b: '3' })
    assert.deepEqual(two.Berth, { CreatedBy: 'clone', ClonedFrom: 'one', UsedBy: [] })
    writeFileSync(join(two.Mountpoint, 'd/f'), 'changed')
    assert.equal(readFileSync(join((await inspect('one')).Mountpoint, 'd/f'), 'utf8'), 'hello\n')
  })

  it('is refused where it cannot be', async () => {
    await api.call('POST', '/volumes/create', { Name: 'one' }, 201)
    assert.equal(
      await api.refused(404, 'POST', '/berth/volumes/none/clone?name=two'),
      'get none: no such volume',
    )
    assert.match(
      await api.refused(409, 'POST', '/berth/volumes/one/clone?name=one'),
      /a volume of this name exists already/,
    )
    assert.match(
      await api.refused(400, 'POST', '/berth/volumes/one/clone?name=../x'),
      /includes invalid characters/,
    )
  })

  it('shows nothing of the host, whatever somebody does to the volume meanwhile (CVE-2019-10152-class)', async () => {
    const swap =
      'cd /v; mkdir d; i=0; while [ $i -lt 300 ]; do echo own > d/passwd$i; echo own > d/passwd; i=$((i+1)); done; echo ready; while :; do mv d t; ln -s /etc d; rm d; mv t d; done'
    const id = await api.started({ ...using('busy'), Cmd: swap })
    await api.ready(id)
    for (let i = 0; i < 5; i++) {
      const { status } = await api.daemon.call('POST', `/berth/volumes/busy/clone?name=copy${i}`)
      if (status !== 201) continue
      const copied = join((await inspect(`copy${i}`)).Mountpoint, 'd')
      // The link itself may have been copied; what it leads to is nobody's business here.
      if (!lstatSync(copied, { throwIfNoEntry: false })?.isDirectory()) continue
      const copy = join(copied, 'passwd')
      if (existsSync(copy)) assert.doesNotMatch(readFileSync(copy, 'utf8'), /root:/)
    }
  })
})

describe('export and import', () => {
  it('bring everything to another engine', async () => {
    await rich('one')
    const { bytes } = await api.call('GET', '/berth/volumes/one/export')
    await using other = await EngineApi.start()
    await other.call(
      'POST',
      `/berth/volumes/two/import?labels=${encodeURIComponent('{"from":"one"}')}`,
      bytes,
      201,
    )
    const two = (await other.call('GET', '/volumes/two')).json<Inspected>()
    checkRich(two.Mountpoint)
    assert.deepEqual([two.Labels, two.Berth['CreatedBy']], [{ from: 'one' }, 'import'])
    await other.call('DELETE', '/volumes/two')
  })

  it('refuse archives that lead out of the volume, and leave nothing (CVE-2025-11395-class)', async () => {
    const hostile = [
      await tarOf(member({ path: '../../../../canary' }, 'x')),
      await tarOf(
        member({ path: 'l', link: '/' }),
        member({ path: 'h', type: 'hardlink', link: 'l/etc/passwd' }),
      ),
      await tarOf(member({ path: 'h', type: 'hardlink', link: '../../../etc/passwd' })),
    ]
    for (const tar of hostile) {
      const { status } = await api.daemon.call('POST', '/berth/volumes/bad/import', tar)
      assert.ok(status === 400 || status === 404, String(status))
      await api.call('GET', '/volumes/bad', undefined, 404)
      assert.deepEqual(readdirSync(join(api.daemon.marks.dataRoot, 'volumes')), [])
    }
    // A symlink is kept as it is, and what comes below it stays inside.
    const inside = await tarOf(member({ path: 'etc', link: '/' }), member({ path: 'etc/berth-canary' }, 'x'))
    await api.call('POST', '/berth/volumes/bad/import', inside, 201)
    assert.ok(!existsSync('/berth-canary'))
    assert.ok(existsSync(join((await inspect('bad')).Mountpoint, 'berth-canary')))
    assert.match(await api.refused(409, 'POST', '/berth/volumes/bad/import', inside), /exists already/)
  })
})

describe('another name', () => {
  it('takes the files along, and is refused while somebody has the volume', async () => {
    await api.run({ ...using('old'), Cmd: 'echo kept > /v/f' }, 'user')
    const { Berth } = await inspect('old')
    assert.equal(Berth['CreatedBy'], 'container')
    assert.equal((Berth['Container'] as { Name: string }).Name, 'user')
    assert.deepEqual(
      (Berth['UsedBy'] as { Name: string }[]).map(({ Name }) => Name),
      ['user'],
    )
    assert.match(
      await api.refused(409, 'POST', '/berth/volumes/old/rename?name=new'),
      /^rename old: volume is in use - \[/,
    )
    await api.daemon.removeAll()
    await berth('old/rename?name=new', 204)
    await api.call('GET', '/volumes/old', undefined, 404)
    assert.equal(readFileSync(join((await inspect('new')).Mountpoint, 'f'), 'utf8'), 'kept\n')
    await api.call('POST', '/volumes/create', { Name: 'old' }, 201)
    assert.match(await api.refused(409, 'POST', '/berth/volumes/old/rename?name=new'), /exists already/)
    assert.match(await api.refused(409, 'POST', '/berth/volumes/old/rename?name=old'), /exists already/)
  })
})

describe('a daemon that is killed', () => {
  it('while it clones, imports, renames or removes leaves either or', async () => {
    const { Mountpoint } = (
      await api.call('POST', '/volumes/create', { Name: 'many' }, 201)
    ).json<Inspected>()
    for (let i = 0; i < 400; i++) writeFileSync(join(Mountpoint, `f${i}`), String(i))
    const { bytes } = await api.call('GET', '/berth/volumes/many/export')
    const steps: readonly [string, string, Uint8Array?][] = [
      ['POST', '/berth/volumes/many/clone?name=made'],
      ['POST', '/berth/volumes/made/import', bytes],
      ['POST', '/berth/volumes/many/rename?name=made'],
    ]
    for (let round = 0; round < 9; round++) {
      const [method, path, body] = steps[round % steps.length]!
      const asked = api.daemon.call(method, path, body).then(
        ({ status }) => status,
        () => 'cut off',
      )
      // A few milliseconds more each time: from before its beginning until after its end.
      await new Promise((resolve) => setTimeout(resolve, round * 12))
      await api.daemon.down('SIGKILL')
      const said = await asked
      await api.daemon.up()
      const names = (await api.call('GET', '/volumes'))
        .json<{ Volumes: { Name: string }[] }>()
        .Volumes.map(({ Name }) => Name)
      const all = path.includes('rename') ? ['made', 'many'].filter((name) => names.includes(name)) : ['many']
      assert.equal(all.length, 1, `${path}: ${names.join()}`)
      if (said === 201) assert.ok(names.includes('made'))
      for (const name of names)
        assert.equal(readdirSync((await inspect(name)).Mountpoint).length, 400, `${path}: ${name}`)
      assert.deepEqual(readdirSync(join(api.daemon.marks.dataRoot, 'volumes')).toSorted(), names.toSorted())
      if (!names.includes('many')) await berth('made/rename?name=many', 204)
      else if (names.includes('made')) await api.call('DELETE', '/volumes/made', undefined, 204)
    }
  })
})

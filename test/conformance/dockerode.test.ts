/** dockerode, the usual client of Node programs (testcontainers and many more use it), against a real daemon. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { after, afterEach, before, describe, it } from 'node:test'
import Docker from 'dockerode'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { startEngine, type EngineUnderTest } from './engine-under-test.ts'

let engine: EngineUnderTest
let docker: Docker

before(async () => {
  engine = await startEngine()
  docker = new Docker({ socketPath: engine.socket })
})
after(() => engine[Symbol.asyncDispose]())

const LABELS = { 'berth.test': 'dockerode' }
const FOREVER = ['sh', '-c', 'trap "exit 0" TERM; echo ready; while :; do sleep 0.05; done']

afterEach(async () => {
  const all = await docker.listContainers({ all: true, filters: { label: ['berth.test=dockerode'] } })
  await Promise.all(all.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })))
})

function create(options: Docker.ContainerCreateOptions): Promise<Docker.Container> {
  return docker.createContainer({ Image: 'busybox', Labels: LABELS, ...options })
}

async function started(options: Docker.ContainerCreateOptions): Promise<Docker.Container> {
  const container = await create(options)
  await container.start()
  return container
}

/** A running container whose trap is set. */
async function running(options: Docker.ContainerCreateOptions = {}): Promise<Docker.Container> {
  const container = await started({ Cmd: FOREVER, ...options })
  const log = await container.logs({ follow: true, stdout: true })
  await once(log, 'data')
  ;(log as Readable).destroy()
  return container
}

/** Both streams of a multiplexed one, as dockerode takes them apart. */
async function apart(stream: NodeJS.ReadableStream): Promise<{ out: string; err: string }> {
  const out = new PassThrough()
  const err = new PassThrough()
  docker.modem.demuxStream(stream, out, err)
  stream.on('end', () => {
    out.end()
    err.end()
  })
  const [outText, errText] = await Promise.all([text(out), text(err)])
  return { out: outText, err: errText }
}

async function finished(progress: NodeJS.ReadableStream): Promise<Record<string, unknown>[]> {
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>[]>()
  docker.modem.followProgress(progress, (error, lines) => (error === null ? resolve(lines) : reject(error)))
  return promise
}

async function refused(work: Promise<unknown>, statusCode: number, message: RegExp): Promise<void> {
  await assert.rejects(work, (error: Error & { statusCode?: number }) => {
    assert.equal(error.statusCode, statusCode, error.message)
    assert.match(error.message, message)
    return true
  })
}

describe('system', () => {
  it('pings, and tells version and info', async () => {
    assert.equal(String(await docker.ping()), 'OK')
    const version = await docker.version()
    assert.equal(version.Os, 'linux')
    assert.match(version.ApiVersion, /^1\.\d\d$/)
    const info = await docker.info()
    assert.equal(typeof info.Containers, 'number')
    assert.equal(info.OSType, 'linux')
    assert.ok(info.MemTotal > 0 && info.NCPU > 0)
  })

  it('tells the disk usage with everything a list of containers has', async () => {
    const container = await running()
    const { Containers, Images, Volumes } = await docker.df()
    const found = (Containers as Docker.ContainerInfo[]).find(({ Id }) => Id === container.id)
    assert.equal(found?.State, 'running')
    assert.match(found?.Status ?? '', /^Up /)
    assert.match(found?.Command ?? '', /^sh -c/)
    assert.ok(Array.isArray(found?.Ports))
    assert.ok(Array.isArray(Images) && Array.isArray(Volumes))
  })
})

describe('the life of a container', () => {
  it('creates, starts, inspects, stops and removes', async () => {
    const container = await create({ name: 'dode-life', Cmd: FOREVER, Env: ['A=b'], Labels: LABELS })
    const created = await container.inspect()
    assert.equal(created.State.Status, 'created')
    assert.equal(created.Name, '/dode-life')
    assert.ok(created.Config.Env.includes('A=b'))
    await container.start()
    const { State, NetworkSettings } = await container.inspect()
    assert.equal(State.Running, true)
    assert.match(NetworkSettings.Networks['bridge']?.IPAddress ?? '', /^172\./)
    const [listed] = await docker.listContainers({ filters: { name: ['dode-life'] } })
    assert.deepEqual(listed?.Names, ['/dode-life'])
    await container.stop({ t: 5 })
    assert.equal((await container.inspect()).State.Running, false)
    await container.remove()
    await refused(container.inspect(), 404, /no such container.*dode-life|No such container/i)
  })

  it('takes filters as lists, as maps and as text', async () => {
    const container = await create({ name: 'dode-filters', Cmd: ['true'] })
    for (const filters of [
      { label: ['berth.test=dockerode'], status: ['created'] },
      { label: { 'berth.test=dockerode': true }, status: { created: true } },
      JSON.stringify({ label: ['berth.test=dockerode'], status: ['created'] }),
    ]) {
      const listed = await docker.listContainers({ all: true, filters: filters as string })
      assert.deepEqual(
        listed.map(({ Id }) => Id),
        [container.id],
      )
    }
  })

  it('waits for the exit code, also from before the start', async () => {
    const container = await create({ Cmd: ['sh', '-c', 'exit 7'] })
    const exit = container.wait({ condition: 'next-exit' })
    await container.start()
    assert.deepEqual(await exit, { StatusCode: 7 })
    assert.deepEqual(await container.wait(), { StatusCode: 7 })
  })

  it('waits for the removal of a container that removes itself', async () => {
    const container = await create({ Cmd: ['sh', '-c', 'exit 3'], HostConfig: { AutoRemove: true } })
    const removed = container.wait({ condition: 'removed' })
    await container.start()
    assert.equal(((await removed) as { StatusCode: number }).StatusCode, 3)
    await refused(container.inspect(), 404, /No such container/i)
  })

  it('restarts, kills, pauses, renames and updates', async () => {
    const container = await running({ name: 'dode-states' })
    const { StartedAt } = (await container.inspect()).State
    await container.restart({ t: 3 })
    assert.notEqual((await container.inspect()).State.StartedAt, StartedAt)
    await container.pause()
    assert.equal((await container.inspect()).State.Status, 'paused')
    await refused(container.pause(), 409, /already paused/)
    await container.unpause()
    await container.rename({ name: 'dode-renamed' })
    assert.equal((await docker.getContainer('dode-renamed').inspect()).Id, container.id)
    await container.update({
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
      Memory: 64 << 20,
      MemorySwap: 128 << 20,
    })
    const { HostConfig } = await container.inspect()
    assert.deepEqual(HostConfig.RestartPolicy, { Name: 'on-failure', MaximumRetryCount: 2 })
    assert.equal(HostConfig.Memory, 64 << 20)
    await container.update({ RestartPolicy: { Name: 'no' } })
    await container.kill({ signal: 'SIGKILL' })
    assert.equal((await container.inspect()).State.ExitCode, 137)
  })

  it('lists the processes', async () => {
    const container = await running()
    const { Titles, Processes } = await container.top({ ps_args: '-ef' })
    assert.ok(Titles.includes('PID') && Titles.includes('CMD'))
    assert.ok(Processes.some((columns: string[]) => /trap/.test(columns.join(' '))))
  })

  it('passes the resources, ports and mounts of the usual create body', async () => {
    const container = await running({
      ExposedPorts: { '80/tcp': {} },
      HostConfig: {
        PortBindings: { '80/tcp': [{ HostPort: '0' }] },
        Binds: ['dode-data:/data:rw'],
        Tmpfs: { '/scratch': 'size=1m' },
        Memory: 64 << 20,
        ExtraHosts: ['db:10.0.0.9'],
      },
      StopTimeout: 3,
    })
    const { NetworkSettings, Mounts, HostConfig } = await container.inspect()
    const [binding] = NetworkSettings.Ports['80/tcp'] ?? []
    assert.match(binding?.HostPort ?? '', /^\d+$/)
    assert.deepEqual(HostConfig.PortBindings, { '80/tcp': [{ HostIp: '', HostPort: '0' }] })
    assert.deepEqual(
      Mounts.map(({ Type, Name, Destination }) => [Type, Name, Destination]),
      [['volume', 'dode-data', '/data']],
    )
    const port = (await docker.listContainers({ filters: { id: [container.id] } }))[0]?.Ports[0]
    assert.equal(String(port?.PublicPort), binding?.HostPort)
    await container.remove({ force: true })
    await docker.getVolume('dode-data').remove()
  })

  it('docker.run() gives the output and the exit code', async () => {
    const out = new PassThrough()
    const seen = text(out)
    const [{ StatusCode }, container] = (await docker.run(
      'busybox',
      ['sh', '-c', 'echo hello; exit 4'],
      out,
      {
        Tty: true,
        Labels: LABELS,
      },
    )) as [{ StatusCode: number }, Docker.Container]
    assert.equal(StatusCode, 4)
    assert.equal(await seen, 'hello\r\n')
    await container.remove()
  })
})

describe('attach', () => {
  it('hijacks before the start, separates the streams and half-closes stdin', async () => {
    const container = await create({
      Cmd: ['sh', '-c', 'cat; echo done >&2'],
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
    })
    const stream = await container.attach({
      stream: true,
      stdin: true,
      stdout: true,
      stderr: true,
      hijack: true,
    })
    const seen = apart(stream)
    await container.start()
    stream.write('one ')
    stream.end('two\n')
    assert.deepEqual(await seen, { out: 'one two\n', err: 'done\n' })
    assert.deepEqual(await container.wait(), { StatusCode: 0 })
  })

  it('follows without hijack', async () => {
    const container = await create({ Cmd: ['sh', '-c', 'echo out; echo err >&2'] })
    const stream = await container.attach({ stream: true, stdout: true, stderr: true })
    const seen = apart(stream)
    await container.start()
    assert.deepEqual(await seen, { out: 'out\n', err: 'err\n' })
  })

  it('gives a terminal unframed and resizes it', async () => {
    const container = await create({
      Cmd: ['sh', '-c', 'read line; stty size; echo "got $line"'],
      Tty: true,
      OpenStdin: true,
    })
    const stream = await container.attach({
      stream: true,
      stdin: true,
      stdout: true,
      stderr: true,
      hijack: true,
    })
    const seen = text(stream)
    await container.start()
    await container.resize({ h: 33, w: 77 })
    stream.write('word\n')
    assert.equal(await seen, 'word\r\n33 77\r\ngot word\r\n')
  })

  it('takes the size of a terminal that is not there, as of one that is', async () => {
    const container = await running()
    await container.resize({ h: 10, w: 20 })
    const exec = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true })
    const stream = await exec.start({ hijack: true, stdin: true })
    await exec.resize({ h: 10, w: 20 })
    stream.end()
    assert.deepEqual(await apart(stream), { out: '', err: '' })
  })

  it('replays the log of a container that is over', async () => {
    const container = await started({ Cmd: ['echo', 'before'] })
    await container.wait()
    const stream = await container.attach({ logs: true, stream: false, stdout: true, stderr: true })
    assert.deepEqual(await apart(stream), { out: 'before\n', err: '' })
  })
})

describe('exec', () => {
  it('separates the streams and tells the exit code by inspect', async () => {
    const container = await running()
    const exec = await container.exec({
      Cmd: ['sh', '-c', 'pwd; echo $X; echo err >&2; exit 5'],
      AttachStdout: true,
      AttachStderr: true,
      Env: ['X=y'],
      WorkingDir: '/etc',
    })
    assert.equal((await exec.inspect()).ExitCode, null)
    const stream = await exec.start({ hijack: true, stdin: false })
    assert.deepEqual(await apart(stream), { out: '/etc\ny\n', err: 'err\n' })
    const { ExitCode, Running, ContainerID, ProcessConfig } = await exec.inspect()
    assert.deepEqual([ExitCode, Running, ContainerID], [5, false, container.id])
    assert.equal(ProcessConfig.entrypoint, 'sh')
  })

  it('works without hijack, as testcontainers calls it', async () => {
    const container = await running()
    const exec = await container.exec({ Cmd: ['echo', 'plain'], AttachStdout: true, AttachStderr: true })
    assert.deepEqual(await apart(await exec.start({ Detach: false, Tty: false })), {
      out: 'plain\n',
      err: '',
    })
    assert.equal((await exec.inspect()).ExitCode, 0)
  })

  it('reads stdin to its end', async () => {
    const container = await running()
    const exec = await container.exec({ Cmd: ['wc', '-c'], AttachStdin: true, AttachStdout: true })
    const stream = await exec.start({ hijack: true, stdin: true })
    const seen = apart(stream)
    stream.end(Buffer.alloc(300_000, 'x'))
    assert.equal((await seen).out.trim(), '300000')
  })

  it('has a terminal of the wanted size', async () => {
    const container = await running()
    const exec = await container.exec({
      Cmd: ['sh', '-c', 'stty size; read line; stty size'],
      Tty: true,
      AttachStdin: true,
      AttachStdout: true,
      ConsoleSize: [20, 70],
    })
    const stream = await exec.start({ hijack: true, stdin: true, Tty: true })
    let seen = ''
    stream.on('data', (chunk: Buffer) => (seen += chunk.toString()))
    while (!seen.includes('\n')) await once(stream, 'data')
    await exec.resize({ h: 44, w: 99 })
    stream.write('\n')
    await once(stream, 'end')
    assert.equal(seen, '20 70\r\n\r\n44 99\r\n')
  })

  it('runs detached', async () => {
    const container = await running()
    const exec = await container.exec({ Cmd: ['sh', '-c', 'echo x > /made'] })
    await exec.start({ Detach: true })
    for (;;) {
      const { Running, ExitCode } = await exec.inspect()
      if (!Running && ExitCode !== null) break
    }
    assert.equal((await exec.inspect()).ExitCode, 0)
  })

  it('refuses what cannot be', async () => {
    await refused(docker.getExec('nope').inspect(), 404, /No such exec instance: nope/)
    const container = await create({ Cmd: ['true'] })
    await refused(container.exec({ Cmd: ['true'] }), 409, /is not running/)
    const up = await running()
    await refused(up.exec({ Cmd: [] }), 400, /No exec command specified/)
    const missing = await up.exec({ Cmd: ['/no/such'], AttachStdout: true, AttachStderr: true })
    const stream = await missing.start({ hijack: true })
    assert.match((await apart(stream)).out, /^OCI runtime exec failed: .*no such file or directory.*\r\n$/)
    assert.equal((await missing.inspect()).ExitCode, 127)
  })
})

describe('logs', () => {
  it('gives everything as a buffer, the tail, a time on and with times', async () => {
    const container = await started({
      Cmd: ['sh', '-c', 'for i in 1 2 3; do echo $i; done; sleep 0.1; echo err >&2'],
    })
    await container.wait()
    const whole = await container.logs({ stdout: true, stderr: true })
    assert.deepEqual([whole[0], whole.readUInt32BE(4)], [1, 2])
    const tail = await container.logs({ follow: true, stdout: true, stderr: true, tail: 2 })
    assert.deepEqual(await apart(tail), { out: '3\n', err: 'err\n' })
    const timed = await container.logs({ follow: true, stderr: true, timestamps: true, tail: 1 })
    assert.match((await apart(timed)).err, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z err\n$/)
    const future = Math.floor(Date.now() / 1000) + 100
    const later = await container.logs({ follow: true, stdout: true, since: future })
    assert.deepEqual(await apart(later), { out: '', err: '' })
    await refused(
      container.logs({ stdout: false, stderr: false }),
      400,
      /you must choose at least one stream/,
    )
  })

  it('follows until the container ends', async () => {
    const container = await running({
      Cmd: ['sh', '-c', 'echo ready; cat; echo end'],
      OpenStdin: true,
      StdinOnce: true,
    })
    const seen = apart(await container.logs({ follow: true, stdout: true, stderr: true }))
    const stream = await container.attach({ stream: true, stdin: true, hijack: true })
    stream.end('line\n')
    assert.deepEqual(await seen, { out: 'ready\nline\nend\n', err: '' })
  })
})

describe('stats', () => {
  it('gives one sample, at once or with the one before', async () => {
    const container = await running()
    const sample = await container.stats({ stream: false })
    assert.equal(sample.name, (await container.inspect()).Name)
    assert.ok(sample.cpu_stats.cpu_usage.total_usage >= sample.precpu_stats.cpu_usage.total_usage)
    const { preread } = await container.stats({ stream: false, 'one-shot': true })
    assert.equal(preread, '0001-01-01T00:00:00Z')
  })

  it('streams samples until the client leaves', async () => {
    const container = await running()
    const stream = await container.stats({ stream: true })
    const [first] = (await once(stream, 'data')) as [Buffer]
    assert.equal((JSON.parse(first.toString()) as { id: string }).id, container.id)
    ;(stream as Readable).destroy()
  })
})

describe('archives', () => {
  it('puts, stats and gets', async () => {
    const container = await create({ Cmd: ['cat', '/tmp/in/file'] })
    await container.putArchive(
      await tarOf(member({ path: 'in', type: 'directory' }), member({ path: 'in/file' }, 'content')),
      {
        path: '/tmp',
      },
    )
    const response = (await container.infoArchive({ path: '/tmp/in/file' })) as unknown as {
      headers: Record<string, string>
    }
    const stat = JSON.parse(
      Buffer.from(response.headers['x-docker-container-path-stat'] ?? '', 'base64').toString(),
    ) as { name: string; size: number }
    assert.deepEqual([stat.name, stat.size], ['file', 7])
    const names: string[] = []
    for await (const { entry } of readTar((await container.getArchive({ path: '/tmp/in' })) as Readable))
      names.push(entry.path)
    assert.deepEqual(
      names.map((name) => name.replace(/\/$/, '')),
      ['in', 'in/file'],
    )
    await container.start()
    await container.wait()
    assert.match(String(await container.logs({ stdout: true })), /content$/)
    await refused(
      container.getArchive({ path: '/absent' }),
      404,
      /Could not find the file \/absent in container/,
    )
    await refused(
      container.putArchive(await tarOf(), { path: '/absent' }),
      404,
      /Could not find the file \/absent/,
    )
  })

  it('puts a stream', async () => {
    const container = await running()
    const tar = await tarOf(member({ path: 'streamed' }, 'x'.repeat(100_000)))
    const stream = new PassThrough()
    stream.write(tar.subarray(0, 1000))
    stream.end(tar.subarray(1000))
    await container.putArchive(stream, { path: '/tmp' })
    const exec = await container.exec({ Cmd: ['wc', '-c', '/tmp/streamed'], AttachStdout: true })
    assert.match((await apart(await exec.start({}))).out, /^100000 /)
  })

  it('exports the files and lists the changes', async () => {
    const container = await started({ Cmd: ['sh', '-c', 'echo x > /new; rm /etc/group'] })
    await container.wait()
    const changes = (await container.changes()) as { Path: string; Kind: number }[]
    assert.deepEqual(
      changes.toSorted((a, b) => (a.Path < b.Path ? -1 : 1)),
      [
        { Path: '/etc', Kind: 0 },
        { Path: '/etc/group', Kind: 2 },
        { Path: '/new', Kind: 1 },
      ],
    )
    const names = new Set<string>()
    for await (const { entry } of readTar((await container.export()) as Readable)) names.add(entry.path)
    assert.ok(names.has('new') && !names.has('etc/group'))
  })
})

describe('images', () => {
  it('lists, inspects and tells the history', async () => {
    const [listed] = await docker.listImages({ filters: { reference: ['busybox'] } })
    assert.ok(listed?.RepoTags?.includes('busybox:latest'))
    const image = await docker.getImage('busybox').inspect()
    assert.equal(image.Id, listed?.Id)
    assert.equal(image.Os, 'linux')
    assert.equal(image.RootFS.Type, 'layers')
    assert.equal((await docker.getImage('busybox').history()).length, 1)
    await refused(docker.getImage('nope').inspect(), 404, /No such image: nope:latest/)
  })

  it('tags and removes', async () => {
    await docker.getImage('busybox').tag({ repo: 'registry.test:5000/team/box', tag: 'v1' })
    const removed = (await docker.getImage('registry.test:5000/team/box:v1').remove()) as {
      Untagged?: string
    }[]
    assert.deepEqual(removed, [{ Untagged: 'registry.test:5000/team/box:v1' }])
  })

  it('commits with changes', async () => {
    const container = await started({ Cmd: ['sh', '-c', 'echo made > /made'] })
    await container.wait()
    const { Id } = (await container.commit({
      repo: 'dode-commit',
      tag: 'v1',
      comment: 'why',
      author: 'who',
      changes: 'CMD ["cat", "/made"]\nENV A=b',
    })) as { Id: string }
    const image = await docker.getImage('dode-commit:v1').inspect()
    assert.deepEqual([image.Id, image.Comment, image.Author], [Id, 'why', 'who'])
    assert.deepEqual(image.Config.Cmd, ['cat', '/made'])
    const again = await started({ Image: 'dode-commit:v1' })
    await again.wait()
    assert.match(String(await again.logs({ stdout: true })), /made\n$/)
    await again.remove()
    await docker.getImage('dode-commit:v1').remove()
  })

  it('imports, saves and loads', async () => {
    const tar = await tarOf(member({ path: 'hello' }, 'world'))
    const lines = await finished(
      await docker.importImage(PassThrough.from([tar]), { repo: 'dode-import', tag: 'v2' }),
    )
    assert.match(String(lines.at(-1)?.['status']), /^sha256:/)
    const saved = await buffer(await docker.getImage('dode-import:v2').get())
    await docker.getImage('dode-import:v2').remove()
    const loaded = await finished(await docker.loadImage(PassThrough.from([saved])))
    assert.match(loaded.map(({ stream }) => stream).join(''), /Loaded image: dode-import:v2\n/)
    await docker.getImage('dode-import:v2').remove()
  })

  it('cannot pull from nowhere', async () => {
    await assert.rejects(docker.pull('registry.invalid/none').then(finished), /./)
  })

  it('prunes', async () => {
    const { SpaceReclaimed, ImagesDeleted } = await docker.pruneImages({
      filters: { dangling: ['true'], label: ['nope'] },
    })
    assert.equal(SpaceReclaimed, 0)
    assert.deepEqual(ImagesDeleted ?? [], [])
  })
})

describe('events', () => {
  it('tells what happens, filtered by lists', async () => {
    const stream = await docker.getEvents({
      filters: { type: ['container'], label: ['berth.test=dockerode'] },
    })
    const container = await started({ Cmd: ['sh', '-c', 'exit 2'], name: 'dode-events' })
    let seen = ''
    stream.on('data', (chunk: Buffer) => (seen += chunk.toString()))
    while (!seen.includes('"die"')) await once(stream, 'data')
    ;(stream as Readable).destroy()
    const events = seen
      .trim()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as { Action: string; Actor: { ID: string; Attributes: Record<string, string> } },
      )
    assert.deepEqual(
      events.map(({ Action }) => Action),
      ['create', 'start', 'die'],
    )
    assert.equal(events[2]?.Actor.ID, container.id)
    assert.equal(events[2]?.Actor.Attributes['exitCode'], '2')
    assert.equal(events[2]?.Actor.Attributes['name'], 'dode-events')
  })

  it('replays a span of time', async () => {
    const since = Date.now() / 1000 - 0.001
    await create({ Cmd: ['true'] })
    const stream = await docker.getEvents({
      since: since.toFixed(3),
      until: (Date.now() / 1000 + 0.5).toFixed(3),
      filters: { event: ['create'], label: ['berth.test=dockerode'] },
    } as unknown as Docker.GetEventsOptions)
    assert.match(await text(stream), /^\{.*"Action":"create".*\}\n$/)
  })
})

describe('volumes and networks', () => {
  it('creates, lists, inspects and removes volumes', async () => {
    const volume = await docker.createVolume({ Name: 'dode-volume', Labels: LABELS })
    assert.equal(
      (volume as unknown as { Name: string }).Name ?? (volume as { name: string }).name,
      'dode-volume',
    )
    const { Volumes } = await docker.listVolumes({ filters: { name: ['dode-volume'] } })
    assert.deepEqual(
      Volumes.map(({ Name, Labels, Scope }) => [Name, Labels, Scope]),
      [['dode-volume', LABELS, 'local']],
    )
    const user = await create({ Cmd: ['true'], HostConfig: { Binds: ['dode-volume:/v'] } })
    await refused(docker.getVolume('dode-volume').remove(), 409, /volume is in use/)
    await user.remove()
    await docker.getVolume('dode-volume').remove()
    await refused(docker.getVolume('dode-volume').inspect(), 404, /no such volume/i)
    const anonymous = await docker.createVolume({ Labels: LABELS })
    await docker.createVolume({ Name: 'dode-named', Labels: LABELS })
    const pruned = await docker.pruneVolumes({ filters: { label: ['berth.test=dockerode'] } })
    assert.deepEqual(pruned.VolumesDeleted, [
      (anonymous as unknown as { Name?: string }).Name ?? anonymous.name,
    ])
    await docker.getVolume('dode-named').remove()
  })

  it('lists and inspects networks', async () => {
    const networks = await docker.listNetworks()
    assert.deepEqual(networks.map(({ Name }) => Name).toSorted(), ['bridge', 'host', 'none'])
    const [bridge] = await docker.listNetworks({ filters: { driver: ['bridge'] } })
    assert.equal(bridge?.Name, 'bridge')
    const container = await running()
    const inspected = await docker.getNetwork('bridge').inspect()
    assert.equal(inspected.Id, bridge?.Id)
    const endpoint = inspected.Containers?.[container.id]
    assert.match(endpoint?.IPv4Address ?? '', /^172\.\d+\.0\.\d+\/16$/)
    await refused(docker.getNetwork('nope').inspect(), 404, /network nope not found/)
  })
})

describe('errors', () => {
  it('carry the status and the words of Docker', async () => {
    await refused(docker.getContainer('nope').start(), 404, /No such container: nope/)
    await refused(create({ Image: 'nope' }), 404, /No such image: nope:latest/)
    await refused(docker.createContainer({}), 400, /config cannot be empty|got EOF/)
    const Runtime = 'runsc'
    await refused(
      create({ Cmd: ['true'], HostConfig: { Runtime } }),
      400,
      /unknown or invalid runtime name: runsc/,
    )
    await create({ name: 'dode-taken', Cmd: ['true'] })
    await refused(
      create({ name: 'dode-taken', Cmd: ['true'] }),
      409,
      /Conflict\. The container name "\/dode-taken" is already in use by container "[0-9a-f]{64}"\. You have to remove \(or rename\) that container to be able to reuse that name\./,
    )
    await refused(create({ name: 'a b', Cmd: ['true'] }), 400, /Invalid container name \(a b\)/)
    const container = await running()
    await refused(container.start(), 304, /container already started/)
    await refused(
      container.remove(),
      409,
      /cannot remove container .*: container is running: stop the container before removing or force remove/,
    )
    await container.stop()
    await refused(container.stop(), 304, /container already stopped/)
    await refused(container.kill(), 409, /is not running/)
    await refused(container.resize({ h: 1, w: 1 }), 409, /is not running/)
    const broken = await create({ Cmd: ['/no/such/program'] })
    await refused(broken.start(), 400, /no such file or directory/)
  })
})

describe('prune', () => {
  it('removes stopped containers only', async () => {
    const stopped = await started({ Cmd: ['true'] })
    await stopped.wait()
    const up = await running()
    const { ContainersDeleted } = await docker.pruneContainers({
      filters: { label: ['berth.test=dockerode'] },
    })
    assert.deepEqual(ContainersDeleted, [stopped.id])
    assert.equal((await up.inspect()).State.Running, true)
    const none = await docker.pruneContainers({ filters: { label: ['berth.test=dockerode'] } })
    assert.deepEqual(none.ContainersDeleted ?? [], [])
  })
})

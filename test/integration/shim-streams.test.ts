import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import {
  EventLog,
  type ShimContainer,
  ShimContainers,
  framed,
  logText,
  unframe,
} from '#test/support/shim-containers.ts'

const both = { stdin: false, stdout: true, stderr: true }
const all = { stdin: true, stdout: true, stderr: true }
const withStdin = { stdin: true, stdinOnce: true }

/** Memory of the shim; a sanitizer's own is not counted. */
async function residentKilobytes({ shim }: ShimContainer): Promise<number> {
  if (process.env['BERTH_NATIVE_BUILD'] !== undefined) return 0
  const status = await readFile(`/proc/${shim.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
}

let containers: ShimContainers
before(async () => {
  containers = await ShimContainers.open('shim-streams')
})
after(() => containers[Symbol.asyncDispose]())

describe('attach', () => {
  it('ends stdin when its client does, if stdin is for one client only', async () => {
    const container = await containers.create({ args: ['cat'], shim: withStdin })
    const stream = await container.shim.attach('init', all)
    stream.write('before the start\n')
    await container.shim.start()
    stream.end('the end')

    assert.deepEqual(await framed(stream), { stdout: 'before the start\nthe end', stderr: '' })
    assert.equal((await container.events.next('exit')).code, 0)
  })

  it('ends stdin also when that client vanishes, with what it had sent before', async () => {
    const container = await containers.create({ args: ['cat'], shim: withStdin })
    const stream = await container.shim.attach('init', all)
    await new Promise((resolve) => stream.write('last words\n', resolve))
    stream.destroy()
    await container.shim.start()

    assert.equal((await container.events.next('exit')).code, 0)
    assert.equal(await logText(join(container.directory, 'log')), 'last words\n')
  })

  it('keeps stdin open for the next client otherwise', async () => {
    const args = ['sh', '-c', 'read a; read b; echo $a $b']
    const container = await containers.create({ args, shim: { stdin: true } })
    await container.shim.start()
    const first = await container.shim.attach('init', all)
    first.end('one\n')
    await once(first, 'finish')
    first.destroy()
    const second = await container.shim.attach('init', all)
    second.write('two\n')

    assert.deepEqual(await framed(second), { stdout: 'one two\n', stderr: '' })
  })

  it('gives a process without stdin an empty one', async () => {
    const container = await containers.create({ args: ['cat'] })
    await container.shim.start()
    assert.equal((await container.events.next('exit')).code, 0)
  })

  it('serves several clients, each with the streams it asked for', async () => {
    const container = await containers.create({ args: ['sh', '-c', 'echo out; echo err >&2'] })
    const streams = await Promise.all([
      container.shim.attach('init', both),
      container.shim.attach('init', { stdin: false, stdout: true, stderr: false }),
      container.shim.attach('init', { stdin: false, stdout: false, stderr: true }),
    ])
    await container.shim.start()

    assert.deepEqual(await Promise.all(streams.map(framed)), [
      { stdout: 'out\n', stderr: 'err\n' },
      { stdout: 'out\n', stderr: '' },
      { stdout: '', stderr: 'err\n' },
    ])
    await assert.rejects(container.shim.attach('init', both), /ended|gone/)
    await assert.rejects(container.shim.attach('nobody', both), /ended|gone/)
  })

  it('makes the process wait for a slow client, and loses nothing', async () => {
    const size = 8 << 20
    const container = await containers.create({
      args: ['sh', '-c', `head -c ${size} /dev/zero | tr '\\\\0' x; echo done >&2`],
      shim: { log: undefined },
    })
    const stream = await container.shim.attach('init', both)
    await container.shim.start()
    await once(stream, 'readable')
    // Everything between here and the process is full now: its pipe, the shim's share, the socket, the stream.
    assert.ok((await residentKilobytes(container)) < 1024)

    const output = unframe(await buffer(stream))
    assert.equal(output.stdout.length, size)
    assert.equal(output.stderr, 'done\n')
  })

  it('does not wait for a client that is gone', async () => {
    const container = await containers.create({
      args: ['sh', '-c', 'head -c 4000000 /dev/zero; exit 5'],
      shim: { log: undefined },
    })
    const stream = await container.shim.attach('init', both)
    await container.shim.start()
    await once(stream, 'readable')
    stream.destroy()
    assert.equal((await container.events.next('exit')).code, 5)
  })

  it('carries large input to the process and back', async () => {
    const container = await containers.create({ args: ['cat'], shim: { ...withStdin, log: undefined } })
    const stream = await container.shim.attach('init', all)
    await container.shim.start()
    const input = Buffer.alloc(3_000_000, 'all work and no play\n')
    const output = framed(stream)
    stream.end(input)
    assert.ok((await output).stdout === input.toString())
  })

  it('loses no output when the process ends while its client is still sending', async () => {
    const container = await containers.create({
      args: ['sh', '-c', 'head -c 300000 /dev/zero | tr "\\\\0" y'],
      shim: { ...withStdin, log: undefined },
    })
    const stream = await container.shim.attach('init', all)
    for (let i = 0; i < 100; i++) stream.write('nobody reads this\n'.repeat(100))
    await container.shim.start()
    await container.events.next('exit')
    assert.equal((await framed(stream)).stdout.length, 300_000)
    await container.events.done
  })

  it('does not wait for others who hold the output open', async () => {
    const container = await containers.start({ args: ['sleep', '1000'] })
    await containers.writeExec(container, 'parent', { args: ['sh', '-c', 'sleep 1000 & echo bye'] })
    const { stream } = await container.shim.exec('parent', false, both)
    assert.equal(stream && (await framed(stream)).stdout, 'bye\n')
    assert.equal((await container.events.next('exec-exit')).code, 0)
  })

  it('passes the keys of a terminal as signals to the foreground job', async () => {
    const script = 'trap "echo interrupted; exit 5" INT; echo ready; while :; do sleep 0.1; done'
    const container = await containers.create({
      args: ['sh', '-c', script],
      tty: true,
      shim: { stdin: true },
    })
    const stream = await container.shim.attach('init', all)
    await container.shim.start()
    await once(stream, 'readable')
    stream.write('\x03')
    assert.equal((await buffer(stream)).toString(), 'ready\r\n^Cinterrupted\r\n')
    assert.equal((await container.events.next('exit')).code, 5)
  })
})

describe('shim', () => {
  it('tells a new watcher everything, and stays when the daemon goes away', async () => {
    const container = await containers.start({ args: ['sh', '-c', 'read x < /proc/self/fd/0; sleep 1000'] })
    await containers.writeExec(container, 'ended', { args: ['sh', '-c', 'exit 9'] })
    await container.shim.exec('ended', false, { stdin: false, stdout: false, stderr: false })
    await container.events.next('exec-exit')
    await containers.writeExec(container, 'running', { args: ['sleep', '1000'] })
    await container.shim.exec('running', false, { stdin: false, stdout: false, stderr: false })

    const found = await containers.shims.connect(container.directory)
    assert.ok(found)
    const again = new EventLog(found.watch())
    const started = await again.next('exec-started')
    assert.equal(started.exec, 'running')
    assert.deepEqual(await again.next('started'), await container.events.next('started'))
    assert.deepEqual(again.types, ['ready', 'started', 'exec-started'])

    for (const signal of [1, 2, 3, 13, 15]) process.kill(container.shim.pid, signal)
    assert.equal(await found.kill('init', 9), true)
    await again.done
    assert.deepEqual(again.types.slice(3), ['exec-exit', 'exit'])
    assert.equal(await found.kill('init', 9), false)
  })

  it('ends on discard when it was never started, and refuses to start twice', async () => {
    const unused = await containers.create({ args: ['true'] })
    await unused.shim.discard()
    await unused.events.done
    assert.deepEqual(unused.events.types, ['ready'])

    const container = await containers.start({ args: ['sleep', '1000'] })
    await assert.rejects(container.shim.start(), /already started/)
  })

  it('says why it could not be set up', async () => {
    const lower = [join(containers.path, 'nowhere')]
    const { events } = await containers.spawn({ args: ['true'], shim: { lower } })
    await events.done
    assert.deepEqual(events.types, ['error'])
    assert.match((await events.next('error')).message, /overlay .*no such file or directory/i)
  })

  it('keeps a kill that comes while the runtime is at work', async () => {
    const container = await containers.create({ args: ['sleep', '1000'] })
    const [, killed] = await Promise.all([container.shim.start(), container.shim.kill('init', 9)])
    if (!killed) await container.shim.kill('init', 9)
    assert.equal((await container.events.next('exit')).code, 137)
  })

  it('reports that memory ran out', async () => {
    const container = await containers.create({
      args: ['sh', '-c', 'x=$(head -c 200000000 /dev/zero | tr "\\\\0" x); echo $x'],
      memory: 16 << 20,
    })
    await container.shim.start()
    const exit = await container.events.next('exit')
    assert.deepEqual({ code: exit.code, oomKilled: exit.oomKilled }, { code: 137, oomKilled: true })
    assert.ok(container.events.types.includes('oom'))
  })

  it('takes half a megabyte at most and shows its mounts to nobody', async () => {
    const container = await containers.start({ args: ['sleep', '1000'], shim: withStdin })
    assert.ok((await residentKilobytes(container)) < 512)
    assert.ok(!(await readFile('/proc/self/mountinfo', 'utf8')).includes(container.directory))
    assert.notEqual(await readlink(`/proc/${container.shim.pid}/ns/mnt`), await readlink('/proc/self/ns/mnt'))
    await writeFile(`/proc/${container.shim.pid}/root${container.directory}/rootfs/tmp/seen`, 'by the daemon')
    assert.equal(await readFile(join(container.directory, 'upper/tmp/seen'), 'utf8'), 'by the daemon')
  })

  it('serves nobody but its owner and survives nonsense', async () => {
    const container = await containers.start({ args: ['sleep', '1000'] })
    const reject = async (text: string): Promise<string> => {
      const socket = createConnection(join(container.directory, 'sock'))
      socket.end(text)
      return (await buffer(socket)).toString()
    }
    assert.equal(await reject('nonsense\n'), 'error invalid request\n')
    assert.equal(await reject('kill init\n'), 'error invalid request\n')
    assert.equal(await reject('kill init 999\n'), 'error invalid signal\n')
    assert.equal(await reject('exec ../../x 0 1 1 1\n'), 'error invalid request\n')
    assert.equal(await reject('attach init 2 0 0\n'), 'error invalid request\n')
    await assert.rejects(reject('x'.repeat(5000)), /ECONNRESET/)
    assert.equal(await reject(''), '')
    assert.equal(((await stat(join(container.directory, 'sock'))).mode & 0o777).toString(8), '600')
  })
})

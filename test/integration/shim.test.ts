import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { buffer } from 'node:stream/consumers'
import { ShimContainers, framed, logText, processesNaming } from '#test/support/shim-containers.ts'

const both = { stdin: false, stdout: true, stderr: true }

for (const runtime of ['crun', 'runc']) {
  describe(`shim with ${runtime}`, () => {
    let containers: ShimContainers
    before(async () => {
      containers = await ShimContainers.open('shim', runtime)
    })
    after(() => containers[Symbol.asyncDispose]())

    it('runs a process to its exit code, with output framed, logged and recorded', async () => {
      const container = await containers.create({ args: ['sh', '-c', 'echo out; echo err >&2; exit 7'] })
      const stream = await container.shim.attach('init', both)

      const output = framed(stream)
      const { pid } = await container.shim.start()

      assert.deepEqual(await output, { stdout: 'out\n', stderr: 'err\n' })
      const exit = await container.events.next('exit')
      assert.deepEqual({ code: exit.code, oomKilled: exit.oomKilled }, { code: 7, oomKilled: false })
      await container.events.done
      assert.deepEqual(container.events.types, ['ready', 'started', 'exit'])
      assert.equal((await container.events.next('started')).pid, pid)
      assert.deepEqual(await containers.shims.exitRecord(container.config.exitRecord), exit)
      assert.equal(await containers.shims.connect(container.directory), undefined)
      // Closing its connections is the shim's last act but one.
      while ((await processesNaming(container.directory)).length > 0);
      assert.deepEqual(
        (await readdir(container.directory)).filter((name) => name.includes('.') && name !== 'shim.log'),
        ['config.json', 'shim.conf'],
      )
      const lines = (await readFile(join(container.directory, 'log'), 'utf8')).trim().split('\n')
      assert.deepEqual(lines.map((line) => (JSON.parse(line) as { log: string }).log).sort(), [
        'err\n',
        'out\n',
      ])
    })

    it('passes the words of the runtime on when the process cannot be started', async () => {
      for (const [args, words] of [
        [['nosuch'], /executable file .*not found|no such file or directory/],
        [['/nosuch'], /no such file or directory/],
        [['/etc/not-executable'], /permission denied/],
      ] as const) {
        const container = await containers.create({ args })

        await assert.rejects(container.shim.start(), words)
        await container.events.done
        assert.deepEqual(container.events.types, ['ready', 'failed'])
        assert.match((await container.events.next('failed')).message, words)
      }
    })

    it('leaves the container with descriptors 0, 1 and 2 only (CVE-2024-21626)', async () => {
      const container = await containers.create({
        args: ['sh', '-c', 'for i in $(seq 0 40); do [ -e /proc/$$/fd/$i ] && echo $i; done; true'],
      })
      const stream = await container.shim.attach('init', both)
      await container.shim.start()

      assert.deepEqual((await framed(stream)).stdout.trim().split('\n'), ['0', '1', '2'])
      for (const fd of [3, 4, 5, 6, 7, 8, 9, 10]) {
        const escaped = await containers.create({ args: ['cat', 'etc/hostname'], cwd: `/proc/self/fd/${fd}` })
        await assert.rejects(escaped.shim.start())
      }
    })

    it('lets a process that is not root open its standard streams again', async () => {
      const container = await containers.create({
        args: ['sh', '-c', 'echo again > /proc/self/fd/1'],
        user: { uid: 1000, gid: 1000 },
      })
      const before = (await readFile('/proc/self/mountinfo')).length
      const stream = await container.shim.attach('init', both)
      await container.shim.start()

      assert.deepEqual(await framed(stream), { stdout: 'again\n', stderr: '' })
      assert.equal((await readFile('/proc/self/mountinfo')).length, before)
    })

    it('gives a terminal whose size follows', async () => {
      const container = await containers.create({ args: ['sh', '-c', 'tty; read x; stty size'], tty: true })
      const stream = await container.shim.attach('init', { stdin: true, stdout: true, stderr: true })
      await container.shim.start()
      await container.shim.resize('init', 33, 111)
      stream.write('word\n')

      // The kernel echoes what is typed when it is typed, which may be before the shell has said anything.
      const text = (await buffer(stream)).toString()
      assert.equal(text.replace('word\r\n', ''), '/dev/pts/0\r\n33 111\r\n')
      assert.equal((await container.events.next('exit')).code, 0)
      await assert.rejects(container.shim.resize('init', 1, 1), /ended|gone/)
    })

    it('execs with and without a terminal, attached and detached', async () => {
      const container = await containers.start({ args: ['sleep', '1000'] })
      await containers.writeExec(container, 'e1', { args: ['sh', '-c', 'cat; echo err >&2; exit 3'] })
      const { stream } = await container.shim.exec('e1', false, { stdin: true, stdout: true, stderr: true })
      stream?.end('typed\n')
      assert.deepEqual(stream && (await framed(stream)), { stdout: 'typed\n', stderr: 'err\n' })
      assert.equal((await container.events.next('exec-exit')).code, 3)

      await containers.writeExec(container, 'e2', {
        args: ['sh', '-c', 'tty; read x; exit 4'],
        terminal: true,
      })
      const second = await container.shim.exec('e2', true, { stdin: true, stdout: true, stderr: true })
      second.stream?.write('go\n')
      assert.match((await buffer(second.stream as never)).toString(), /^\/dev\/pts/m)

      await containers.writeExec(container, 'e3', { args: ['true'] })
      const third = await container.shim.exec('e3', false, { stdin: false, stdout: false, stderr: false })
      assert.equal(third.stream, undefined)

      await containers.writeExec(container, 'e4', { args: ['nosuch'] })
      await assert.rejects(container.shim.exec('e4', false, both), /not found|no such file/)
      assert.equal(await container.shim.kill('init', 15), true)
      assert.equal(await container.shim.kill('init', 9), true)
      assert.equal((await container.events.next('exit')).code, 137)
      await container.events.done
      const codes = container.events.seen.flatMap((e) => (e.type === 'exec-exit' ? [[e.exec, e.code]] : []))
      assert.deepEqual(codes, [
        ['e1', 3],
        ['e2', 4],
        ['e3', 0],
      ])
      assert.equal(await logText(join(container.directory, 'log')), '')
    })
  })
}

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { lstat, mkdir, open, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { jsonLogger } from '#base/logger.ts'
import { NativeHelper, startHelper } from '#os/native-helper.ts'
import { startProcess } from '#os/process.ts'
import { erofsImage } from '#test/support/erofs-image.ts'
import { nativeBuild, temporaryDirectory } from '#test/support/native.ts'

const logger = jsonLogger((line) => process.stderr.write(line), 'warn')

async function helperIn(execRoot: string): Promise<NativeHelper> {
  return startHelper({ execRoot, buildDir: nativeBuild, logger })
}

/** A path as the helper's mount namespace shows it. */
const seen = (helper: NativeHelper, path: string): string => `/proc/${helper.pid}/root${path}`

const mountsBelow = async (path: string): Promise<readonly string[]> =>
  (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(path))

async function startTimeOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string
}

describe('helper', () => {
  it('mounts layers where only its own namespace sees them, and takes them along when it ends', async () => {
    await using root = await temporaryDirectory('helper')
    const { index, tar } = erofsImage('hello', 'from the tar\n')
    await writeFile(join(root.path, 'a.erofs'), index)
    await writeFile(join(root.path, 'a.tar'), tar)
    const target = join(root.path, 'mnt/layers/a')
    const helper = await helperIn(root.path)

    await helper.mountErofs(join(root.path, 'a.erofs'), join(root.path, 'a.tar'), target)

    assert.equal(await readFile(join(seen(helper, target), 'hello'), 'utf8'), 'from the tar\n')
    assert.deepEqual(await mountsBelow(root.path), [])
    assert.deepEqual(await readdir(join(root.path, 'mnt')), [])
    await helper.unmount(target)
    await assert.rejects(stat(seen(helper, target)), /ENOENT/)
    await helper.unmount(target)
    await helper[Symbol.asyncDispose]()
    await assert.rejects(stat(`/proc/${helper.pid}`), /ENOENT/)
  })

  it('goes through loop devices when the files lie on a stacked filesystem', async () => {
    await using root = await temporaryDirectory('helper')
    await using helper = await helperIn(root.path)
    const { index, tar } = erofsImage('hello', 'through loops\n')
    for (const name of ['one', 'two']) await mkdir(join(root.path, name))
    await writeFile(join(root.path, 'one/a.erofs'), index)
    await writeFile(join(root.path, 'two/a.tar'), tar)
    const stacked = join(root.path, 'mnt/stacked')
    const target = join(root.path, 'mnt/layer')

    await helper.mountView(stacked, [join(root.path, 'one'), join(root.path, 'two')])
    await helper.mountErofs(join(stacked, 'a.erofs'), join(stacked, 'a.tar'), target)

    assert.equal(await readFile(join(seen(helper, target), 'hello'), 'utf8'), 'through loops\n')
    assert.match(await readFile(`/proc/${helper.pid}/mountinfo`, 'utf8'), /erofs \/dev\/loop/)
    await helper.unmount(target)
    await helper.unmount(stacked)
  })

  it('shows layers merged, read-only and topmost first, and a single one as it is', async () => {
    await using root = await temporaryDirectory('helper')
    await using helper = await helperIn(root.path)
    // A colon would end the path in overlayfs' old list syntax; the length would not fit fsconfig(2).
    const low = join(root.path, 'l:ow', 'x'.repeat(200), 'y'.repeat(100))
    const top = join(root.path, 'to,p')
    for (const dir of [low, top]) await mkdir(dir, { recursive: true })
    await writeFile(join(low, 'both'), 'low')
    await writeFile(join(low, 'low'), '')
    await writeFile(join(top, 'both'), 'top')
    const merged = join(root.path, 'mnt/merged')
    const single = join(root.path, 'mnt/single')

    await helper.mountView(merged, [top, low])
    await helper.mountView(single, [low])

    assert.deepEqual(await readdir(seen(helper, merged)), ['both', 'low'])
    assert.equal(await readFile(join(seen(helper, merged), 'both'), 'utf8'), 'top')
    assert.equal(await readFile(join(seen(helper, single), 'both'), 'utf8'), 'low')
    for (const view of [merged, single]) {
      await assert.rejects(writeFile(join(seen(helper, view), 'new'), ''), /EROFS/)
    }
  })

  it('names operation, paths and cause of a failure and classifies it', async () => {
    await using root = await temporaryDirectory('helper')
    await using helper = await helperIn(root.path)

    await assert.rejects(
      helper.mountErofs('/nope/a', '/nope/b', join(root.path, 'mnt/x')),
      (error: Error) => {
        assert.match(error.message, /^mount-erofs \/nope\/a \/nope\/b .*mnt\/x: \/nope\/a: No such file/)
        return isKind(error, 'not_found')
      },
    )
    await assert.rejects(helper.removeTree('/proc/self/fdinfo'), (error) =>
      isKind(error, 'permission_denied'),
    )
    await assert.rejects(helper.run(['/nope']), (error) => isKind(error, 'not_found'))
  })

  it('removes hostile trees of any depth without following symlinks', async () => {
    await using root = await temporaryDirectory('helper')
    await using helper = await helperIn(root.path)
    await mkdir(join(root.path, 'keep'))
    await writeFile(join(root.path, 'keep/file'), '')
    await mkdir(join(root.path, 'tree'))
    await symlink(join(root.path, 'keep'), join(root.path, 'tree/link'))
    const script = 'i=0; while [ $i -lt 700 ]; do mkdir d; cd d; : > f; i=$((i+1)); done'
    assert.equal((await helper.run(['sh', '-c', `cd ${root.path}/tree; ${script}`])).code, 0)

    await helper.removeTree(join(root.path, 'tree'))
    await helper.removeTree(join(root.path, 'tree'))

    await assert.rejects(lstat(join(root.path, 'tree')), /ENOENT/)
    assert.deepEqual(await readdir(join(root.path, 'keep')), ['file'])
  })

  it('does not remove what lies behind a mount', async () => {
    await using root = await temporaryDirectory('helper')
    await using helper = await helperIn(root.path)
    await mkdir(join(root.path, 'volume'))
    await writeFile(join(root.path, 'volume/data'), 'precious')
    const target = join(root.path, 'mnt/tree/volume')
    await helper.run(['mkdir', '-p', target])
    await helper.run([
      'nsenter',
      `--mount=/proc/${helper.pid}/ns/mnt`,
      'mount',
      '--bind',
      join(root.path, 'volume'),
      target,
    ])

    await assert.rejects(helper.removeTree(join(root.path, 'mnt/tree')), /volume/)

    assert.equal(await readFile(join(root.path, 'volume/data'), 'utf8'), 'precious')
  })

  it('starts a shim with a listening socket, clean descriptors and its own session', async () => {
    await using root = await temporaryDirectory('helper')
    const script =
      '#!/bin/sh\n(exec ls -l /proc/$$/fd >"$1/fds"); echo trouble >&2; echo ready >"$1/fifo"; exec sleep 60\n'
    await using helper = await helperWithShim(root.path, script)
    const dir = join(root.path, 'containers', 'c'.repeat(120))
    await mkdir(dir, { recursive: true })
    await writeFile(join(dir, 'sock'), 'stale')
    await helper.run(['mkfifo', join(dir, 'fifo')])

    const { pid } = await helper.spawnShim(dir)

    await connectTo(dir)
    assert.equal(await readFile(join(dir, 'fifo'), 'utf8'), 'ready\n')
    const socket = await lstat(join(dir, 'sock'))
    assert.deepEqual([socket.isSocket(), socket.mode & 0o777], [true, 0o600])
    assert.equal(await readFile(join(dir, 'shim.log'), 'utf8'), 'trouble\n')
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    assert.match(status, new RegExp(`NSsid:\t${pid}\n`))
    assert.match(status, /SigBlk:\t0+\n/)
    assert.match(status, /SigIgn:\t0+\n/)
    const fds = (await readFile(join(dir, 'fds'), 'utf8')).matchAll(/ (\d+) -> (\S+?)(\[\d+\])?$/gm)
    assert.deepEqual(
      // 10 is the shell's own: the script.
      new Map(Array.from(fds, ([, fd, target]) => [fd, target])),
      new Map([
        ['0', '/dev/null'],
        ['1', '/dev/null'],
        ['10', join(root.path, 'build/berth-shim')],
        ['2', join(dir, 'shim.log')],
        ['3', 'socket:'],
      ]),
    )
    await end(helper, pid)
  })

  it('kills by pid and start time, and reaps what it started', async () => {
    await using root = await temporaryDirectory('helper')
    await using helper = await helperWithShim(root.path, '#!/bin/sh\nexec sleep 60\n')
    const { pid } = await helper.spawnShim(root.path)
    const startTime = await startTimeOf(pid)

    assert.equal(await helper.kill(pid, String(Number(startTime) + 1), constants.signals.SIGKILL), false)
    assert.equal(await startTimeOf(pid), startTime)
    await end(helper, pid)

    assert.equal(await helper.kill(pid, startTime, constants.signals.SIGKILL), false)
  })

  it('says what is wrong when there is no shim', async () => {
    await using root = await temporaryDirectory('helper')
    const child = await startProcess([join(nativeBuild, 'berth-helper'), root.path, '/nope/berth-shim'])
    await using helper = new NativeHelper(child, logger)

    await assert.rejects(helper.spawnShim(root.path), /spawn-shim .*: start \/nope\/berth-shim: No such file/)

    assert.deepEqual((await readdir(root.path)).sort(), ['mnt', 'shim.log'])
  })

  it('leaves the shim running and its mounts in place when it ends itself', async () => {
    await using root = await temporaryDirectory('helper')
    const helper = await helperWithShim(root.path, '#!/bin/sh\nexec sleep 60\n')
    const { pid } = await helper.spawnShim(root.path)
    const startTime = await startTimeOf(pid)

    await helper[Symbol.asyncDispose]()

    assert.equal(await startTimeOf(pid), startTime)
    await using next = await helperIn(root.path)
    await end(next, pid)
  })

  it('runs programs beside each other and answers as they end', async () => {
    await using root = await temporaryDirectory('helper')
    await using helper = await helperIn(root.path)
    await helper.run(['mkfifo', join(root.path, 'fifo')])
    const order: string[] = []

    const slow = helper.run(['cat', join(root.path, 'fifo')]).then((result) => {
      order.push('slow')
      return result
    })
    const big = await helper.run(
      ['sh', '-c', 'cat | tr x y; head -c 3000000 /dev/zero; echo e >&2; exit 7'],
      {
        stdin: 'x'.repeat(300_000),
      },
    )
    order.push('big')
    await writeFile(join(root.path, 'fifo'), 'through')

    assert.deepEqual(await slow, { code: 0, stdout: 'through', stderr: '' })
    assert.deepEqual(order, ['big', 'slow'])
    assert.deepEqual([big.code, big.stderr, big.stdout.length], [7, 'e\n', 1 << 20])
    assert.equal(big.stdout.slice(0, 300_001), `${'y'.repeat(300_000)} `)
    assert.equal((await helper.run(['sh', '-c', 'kill -TERM $$'])).code, 143)
    assert.equal((await helper.run(['true'], { stdin: 'x'.repeat(300_000) })).code, 0)
  })

  it('holds a lock as long as it lives and names the holder', async () => {
    await using root = await temporaryDirectory('helper')
    const file = join(root.path, 'lock')
    const first = await helperIn(root.path)
    await using second = await helperIn(root.path)

    await first.lock(file)

    await assert.rejects(second.lock(file), (error: Error) => {
      assert.equal(error.message, `${file} is locked by process ${process.pid}`)
      return isKind(error, 'conflict')
    })
    await first[Symbol.asyncDispose]()
    await second.lock(file)
  })

  it('waits for the helper of a daemon that was killed', async () => {
    await using root = await temporaryDirectory('helper')
    const file = join(root.path, 'lock')
    await using orphan = await startProcess(['flock', '--no-fork', file, 'sh', '-c', 'read line']).then(
      (child) => ({
        ...child,
        [Symbol.asyncDispose]: async () => {
          child.stdin.end()
          await child.exited
        },
      }),
    )
    await using helper = await helperIn(root.path)
    // 2^22 is the largest pid there is, and never given out.
    await writeFile(file, `4194304 ${orphan.pid}\n`)

    const locked = helper.lock(file)
    orphan.stdin.end('\n')

    await locked
  })

  it('rejects what is under way and what comes later when it dies', async () => {
    await using root = await temporaryDirectory('helper')
    const helper = await helperIn(root.path)
    await helper.run(['mkfifo', join(root.path, 'fifo')])

    const waiting = helper.run(['cat', join(root.path, 'fifo')])
    process.kill(helper.pid, 'SIGKILL')

    const isGone = (error: Error): boolean => {
      assert.match(
        error.message,
        new RegExp(`: the helper \\(process ${helper.pid}\\) ended with status 137`),
      )
      return isKind(error, 'unavailable')
    }
    await assert.rejects(waiting, isGone)
    await assert.rejects(helper.ping(), isGone)
    await helper[Symbol.asyncDispose]()
  })

  it('takes hugetlb from the v2 hierarchy in its own namespace, until it ends', async (test) => {
    const controllers = '/sys/fs/cgroup/unified/cgroup.controllers'
    // Empty: another berth on this machine has it already.
    const before = await readFile(controllers, 'utf8').catch(() => 'no such hierarchy')
    if (before !== 'hugetlb\n' && before !== '')
      return test.skip('not a hybrid machine whose v2 hierarchy holds hugetlb')
    await using root = await temporaryDirectory('helper')
    const mounts = await mountsBelow('/sys/fs/cgroup')
    await using helper = await helperIn(root.path)

    await helper.mountCgroupHugetlb()
    await helper.mountCgroupHugetlb()

    assert.equal(await readFile(controllers, 'utf8'), '')
    assert.deepEqual(await mountsBelow('/sys/fs/cgroup'), mounts)
    assert.deepEqual(await mountsBelow(root.path), [])
    const own = await readFile(`/proc/${helper.pid}/mountinfo`, 'utf8')
    assert.equal(own.match(/ cgroup none rw,hugetlb$/gm)?.length, 1)
  })
})

async function helperWithShim(root: string, script: string): Promise<NativeHelper> {
  await mkdir(join(root, 'build'))
  await writeFile(join(root, 'build/berth-shim'), script, { mode: 0o755 })
  const child = await startProcess([join(nativeBuild, 'berth-helper'), root, join(root, 'build/berth-shim')])
  return new NativeHelper(child, logger)
}

/** Through the directory's descriptor, since a path of that length does not fit a socket address. */
async function connectTo(dir: string): Promise<void> {
  await using handle = await open(dir)
  const connection = connect(`/proc/self/fd/${handle.fd}/sock`)
  await once(connection, 'connect')
  connection.destroy()
}

/** Kills a shim; the helper reaps it, or init does when that helper is gone: `tail` waits for the end itself. */
async function end(helper: NativeHelper, pid: number): Promise<void> {
  assert.equal(await helper.kill(pid, await startTimeOf(pid), constants.signals.SIGKILL), true)
  await helper.run(['tail', `--pid=${pid}`, '-s', '0.01', '-f', '/dev/null'])
  await assert.rejects(stat(`/proc/${pid}`), /ENOENT/)
}

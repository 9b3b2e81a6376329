import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { ShimContainers, framed, logText } from '#test/support/shim-containers.ts'

const run = promisify(execFile)
const both = { stdin: false, stdout: true, stderr: true }

let containers: ShimContainers
before(async () => {
  containers = await ShimContainers.open('shim-rootfs')
})
after(() => containers[Symbol.asyncDispose]())

/** A layer with the one file `name`. */
async function layer(path: string, name: string, content: string): Promise<string> {
  const directory = join(containers.path, path)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, name), content)
  return directory
}

async function outputOf(args: readonly string[], shim: object): Promise<string> {
  const container = await containers.create({ args, shim })
  const stream = await container.shim.attach('init', both)
  await container.shim.start()
  const { stdout, stderr } = await framed(stream)
  await container.events.done
  return stdout + stderr
}

describe('root filesystem of a shim', () => {
  it('has the layers on top of each other, whatever their names', async () => {
    const busybox = join(containers.path, 'busybox')
    // The last is too long for an option of its own: the whole list goes through mount(2) then.
    for (const name of ['plain', 'a:b,c\\d e', `${'x'.repeat(200)}/${'y'.repeat(200)}`]) {
      const top = await layer(`${name}/top`, 'etc-file', 'from the top')
      const middle = await layer(`${name}/middle`, 'etc-file', 'from the middle')
      await layer(`${name}/middle`, 'other', ' and below')

      const lower = [top, middle, busybox]
      assert.equal(await outputOf(['cat', '/etc-file', '/other'], { lower }), 'from the top and below')
    }
  })

  it('takes as many layers as overlayfs does', async () => {
    const lower: string[] = []
    for (let i = 0; i < 250; i++) lower.push(await layer(`many/${i}`, `file${i}`, ''))
    lower.push(join(containers.path, 'busybox'))
    assert.equal(await outputOf(['sh', '-c', 'ls / | grep -c file'], { lower }), '250\n')
  })

  it('uses layers that only the helper sees, and hides them afterwards', async () => {
    const mounts = join(containers.path, 'exec/mnt')
    const target = join(mounts, 'layer')
    await containers.helper.mountView(target, [join(containers.path, 'busybox')])
    const container = await containers.start({
      args: ['sleep', '1000'],
      shim: { lower: [target], hide: mounts },
    })

    const mountinfo = await readFile(`/proc/${container.shim.pid}/mountinfo`, 'utf8')
    const points = mountinfo.split('\n').map((line) => line.split(' ')[4] ?? '')
    assert.deepEqual(
      points.filter((point) => point.startsWith(mounts)),
      [],
    )
    assert.ok((await stat(`/proc/${container.shim.pid}/root${container.config.rootfs}/bin/busybox`)).isFile())
    await containers.helper.unmount(target)
    await containers.writeExec(container, 'ls', { args: ['ls', '/bin/busybox'] })
    const { stream } = await container.shim.exec('ls', false, both)
    assert.equal(stream && (await framed(stream)).stdout, '/bin/busybox\n')
  })

  it('keeps what is written, and mounts a volatile one again', async () => {
    const first = await containers.create({
      args: ['sh', '-c', 'echo kept > /kept'],
      shim: { volatile: true },
    })
    await first.shim.start()
    await first.events.done
    const { upper, work } = first.config
    assert.ok((await stat(join(work, 'work/incompat/volatile/dirty'))).isFile())
    assert.equal(await outputOf(['cat', '/kept'], { upper, work }), 'kept\n')
    assert.equal(await outputOf(['cat', '/kept'], { upper, work, volatile: true }), 'kept\n')
  })

  it('passes mounts of the daemon’s on through a share', async () => {
    const shared = join(containers.path, 'sha red')
    const destination = join(containers.path, 'share')
    for (const directory of [shared, destination]) await mkdir(directory)
    await run('mount', ['-t', 'tmpfs', 'tmpfs', shared])
    try {
      await run('mount', ['--make-shared', shared])
      const container = await containers.start({
        args: ['sleep', '1000'],
        mounts: [{ destination: '/vol', type: 'bind', source: destination, options: ['rbind', 'rshared'] }],
        rootfsPropagation: 'shared',
        shim: { shares: [{ source: shared, destination }] },
      })
      await mkdir(join(shared, 'later'))
      await run('mount', ['-t', 'tmpfs', 'tmpfs', join(shared, 'later')])
      await writeFile(join(shared, 'later/file'), 'mounted later')
      await containers.writeExec(container, 'cat', { args: ['cat', '/vol/later/file'] })
      const { stream } = await container.shim.exec('cat', false, both)
      assert.deepEqual(stream && (await framed(stream)), { stdout: 'mounted later', stderr: '' })
      await container.shim.kill('init', 9)
      await container.events.done
    } finally {
      await run('umount', ['-R', shared])
    }
  })

  it('follows a directory that holds the file of a mount namespace', async () => {
    const followed = join(containers.path, 'followed')
    const destination = join(containers.path, 'follow')
    for (const directory of [followed, destination]) await mkdir(directory)
    await writeFile(join(followed, 'file'), 'seen')
    await run('mount', ['--bind', followed, followed])
    try {
      await run('mount', ['--make-private', followed])
      await writeFile(join(followed, 'ns'), '')
      await run('unshare', [`--mount=${join(followed, 'ns')}`, '--propagation', 'private', 'true'])
      const container = await containers.start({
        args: ['sleep', '1000'],
        mounts: [{ destination: '/vol', type: 'bind', source: destination, options: ['rbind', 'rslave'] }],
        shim: { shares: [{ source: followed, destination, follows: true }] },
      })
      await containers.writeExec(container, 'cat', { args: ['cat', '/vol/file'] })
      const { stream } = await container.shim.exec('cat', false, both)
      assert.deepEqual(stream && (await framed(stream)), { stdout: 'seen', stderr: '' })
      await container.shim.kill('init', 9)
      await container.events.done
    } finally {
      await run('umount', ['-R', followed])
    }
  })

  it('reads the v2 counter of killed processes', async () => {
    const directory = await layer('cgroup', 'memory.events', 'low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n')
    const cgroup = { version: 'v2' as const, directory }
    const container = await containers.create({ args: ['echo', 'x'], shim: { cgroup } })
    await container.shim.start()
    assert.equal((await container.events.next('exit')).oomKilled, true)
    assert.equal(await logText(container.config.log?.file ?? ''), 'x\n')
  })
})

/** What a container may and may not do: limits, rights, namespaces and mounts, seen from inside and from the kernel. */
import assert from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { member } from '#test/support/busybox-image.ts'
import { run } from '#test/support/daemon.ts'
import { EngineApi, exec } from '#test/support/engine-api.ts'

/** statfs(2). */
const EXT4 = 0xef53

let api: EngineApi
let scratch: string

const seeded = [
  member({ path: 'seed', type: 'directory', mode: 0o750, uid: 33, gid: 33 }),
  member({ path: 'seed/file', uid: 33, gid: 33, mode: 0o640 }, 'from the image'),
  member({ path: 'seed/link', link: 'file' }),
]

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-limits-'))
  api = await EngineApi.start({}, ...seeded)
})
after(async () => {
  await api[Symbol.asyncDispose]()
  rmSync(scratch, { recursive: true, force: true })
})
afterEach(async () => {
  await api.daemon.removeAll()
  await api.call('POST', '/volumes/prune?filters=%7B%22all%22%3A%5B%22true%22%5D%7D')
  await api.daemon.assertNoLeaks()
})

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'
const V2 = existsSync('/sys/fs/cgroup/cgroup.controllers')

/** A control file of a container's group, whichever version the machine has. */
function control(id: string, v1: string, v2: string): string {
  const [controller = ''] = v1.split('.')
  const root = V2 ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controller}`
  return readFileSync(join(root, api.daemon.marks.cgroupParent, id, V2 ? v2 : v1), 'utf8').trim()
}

/** The control groups of a container that are there, in every hierarchy. */
function groupsOf(id: string): readonly string[] {
  const hierarchies = V2 ? [''] : readdirSync('/sys/fs/cgroup')
  return hierarchies.filter((name) =>
    existsSync(join('/sys/fs/cgroup', name, api.daemon.marks.cgroupParent, id)),
  )
}

async function output(
  Cmd: string | readonly string[],
  HostConfig: object = {},
  more: object = {},
): Promise<string> {
  const { code, out, err } = await api.once({ Cmd, HostConfig, ...more })
  assert.equal(code, 0, err)
  return out.trimEnd()
}

async function fails(Cmd: string, HostConfig: object = {}, more: object = {}): Promise<string> {
  const { code, out, err } = await api.once({ Cmd, HostConfig, ...more })
  assert.notEqual(code, 0, out)
  return err
}

function createRefused(body: object, status = 400): Promise<string> {
  return api.refused(status, 'POST', '/containers/create', { Image: 'busybox', Cmd: ['true'], ...body })
}

describe('resources', () => {
  it('that the kernel does not take leave nothing of the start', async () => {
    // No block device: the runtime has made the control groups by the time it learns.
    const id = await api.create({
      Cmd: 'true',
      HostConfig: { BlkioDeviceReadBps: [{ Path: '/dev/null', Rate: 1000 }] },
    })
    const answer = await api.daemon.call('POST', `/containers/${id}/start`)
    assert.equal(answer.status, 500, answer.text)
    assert.deepEqual(groupsOf(id), [])
  })

  it('memory is limited, and the one who takes more is killed', async () => {
    const HostConfig = { Memory: 32 << 20, MemorySwap: 32 << 20 }
    const id = await api.started({ Cmd: FOREVER, HostConfig })
    assert.equal(control(id, 'memory.limit_in_bytes', 'memory.max'), String(32 << 20))
    const { code } = await exec(api, id, 'tail -c 100m /dev/zero > /dev/null')
    assert.equal(code, 137)
    assert.equal((await api.inspect(id)).State.Status, 'running')
    const { MemorySwap } =
      (await api.inspect(await api.create({ Cmd: 'true', HostConfig: { Memory: 32 << 20 } }))).HostConfig ??
      {}
    assert.equal(MemorySwap, 64 << 20)
    assert.match(await createRefused({ HostConfig: { Memory: 1024 } }), /Minimum memory limit allowed is 6MB/)
    assert.match(
      await createRefused({ HostConfig: { Memory: 64 << 20, MemorySwap: 32 << 20 } }),
      /Minimum memoryswap limit should be larger than memory limit, see usage/,
    )
  })

  it('processes are limited', async () => {
    const id = await api.started({ Cmd: FOREVER, HostConfig: { PidsLimit: 10 } })
    assert.equal(control(id, 'pids.max', 'pids.max'), '10')
    const { err } = await exec(
      api,
      id,
      'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; kill $(jobs -p)',
    )
    assert.match(err, /can't fork/)
  })

  it('processors are limited by quota, shares and set', async () => {
    const HostConfig = { NanoCpus: 250_000_000, CpuShares: 512, CpusetCpus: '0' }
    const id = await api.started({ Cmd: FOREVER, HostConfig })
    if (V2) assert.equal(control(id, '', 'cpu.max'), '25000 100000')
    else {
      assert.equal(control(id, 'cpu.cfs_quota_us', ''), '25000')
      assert.equal(control(id, 'cpu.cfs_period_us', ''), '100000')
      assert.equal(control(id, 'cpu.shares', ''), '512')
    }
    assert.equal(control(id, 'cpuset.cpus', 'cpuset.cpus'), '0')
    assert.equal((await exec(api, id, 'nproc')).out.trim(), '1')
    assert.match(await createRefused({ HostConfig: { NanoCpus: 1e12 } }), /range of CPUs is from 0\.01 to /)
    assert.match(
      await createRefused({ HostConfig: { CpusetCpus: '0-4095' } }),
      /Requested CPUs are not available/,
    )
  })

  it('ulimits are set, and kept below what the machine allows', async () => {
    const Ulimits = [
      { Name: 'nofile', Soft: 100, Hard: 200 },
      { Name: 'core', Soft: 0, Hard: 0 },
    ]
    assert.equal(await output('ulimit -n; ulimit -Hn; ulimit -c', { Ulimits }), '100\n200\n0')
    assert.match(
      await createRefused({ HostConfig: { Ulimits: [{ Name: 'nope', Soft: 1, Hard: 1 }] } }),
      /invalid ulimit type: nope/,
    )
  })

  it('shm has the size that was asked for', async () => {
    const size = 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2'
    assert.equal(await output(size), '65536')
    assert.equal(await output(size, { ShmSize: 8 << 20 }), '8192')
  })

  it('an update is in force at once and stays', async () => {
    const id = await api.started({ Cmd: FOREVER, HostConfig: { Memory: 32 << 20, MemorySwap: 64 << 20 } })
    const answer = await api.call('POST', `/containers/${id}/update`, {
      Memory: 48 << 20,
      MemorySwap: 96 << 20,
      PidsLimit: 77,
      CpuQuota: 30_000,
      CpuPeriod: 100_000,
      RestartPolicy: { Name: 'unless-stopped' },
    })
    assert.deepEqual(answer.json(), { Warnings: null })
    assert.equal(control(id, 'memory.limit_in_bytes', 'memory.max'), String(48 << 20))
    assert.equal(control(id, 'pids.max', 'pids.max'), '77')
    assert.equal(V2 ? control(id, '', 'cpu.max').split(' ')[0] : control(id, 'cpu.cfs_quota_us', ''), '30000')
    const { HostConfig } = await api.inspect(id)
    assert.deepEqual(
      [HostConfig?.Memory, HostConfig?.PidsLimit, HostConfig?.RestartPolicy?.Name],
      [48 << 20, 77, 'unless-stopped'],
    )
    await api.call('POST', `/containers/${id}/restart?t=1`)
    assert.equal(control(id, 'memory.limit_in_bytes', 'memory.max'), String(48 << 20))
    await api.call('POST', `/containers/${id}/update`, { PidsLimit: -1, CpuQuota: -1 })
    const unlimited = () => {
      assert.equal(control(id, 'pids.max', 'pids.max'), 'max')
      const quota = V2 ? control(id, '', 'cpu.max').split(' ')[0] : control(id, 'cpu.cfs_quota_us', '')
      assert.equal(quota, V2 ? 'max' : '-1')
    }
    unlimited()
    const after = (await api.inspect(id)).HostConfig
    assert.deepEqual([after?.PidsLimit, after?.CpuQuota], [0, -1])
    await api.call('POST', `/containers/${id}/restart?t=1`)
    unlimited()
  })

  it('an update that the kernel refuses changes nothing', async () => {
    const id = await api.started({ Cmd: FOREVER, HostConfig: { Memory: 32 << 20, MemorySwap: 64 << 20 } })
    const refused = await api.daemon.call('POST', `/containers/${id}/update`, { CpusetCpus: '0-4095' })
    assert.ok(refused.status >= 400)
    assert.equal((await api.inspect(id)).HostConfig?.CpusetCpus, '')
  })
})

describe('the root filesystem', () => {
  it('is read-only when asked, but for tmpfs, volumes and the generated files', async () => {
    const HostConfig = { ReadonlyRootfs: true, Tmpfs: { '/run': 'size=1m,mode=1770' } }
    assert.match(await fails('touch /x', HostConfig), /Read-only file system/)
    const kinds = await output(
      'touch /run/x /vol/x /dev/shm/x && stat -c %a /run; grep " /run " /proc/mounts',
      HostConfig,
      {
        Volumes: { '/vol': {} },
      },
    )
    assert.match(kinds, /^1770\ntmpfs \/run tmpfs rw,.*size=1024k/)
  })

  it('is one file system for what stays on one (cp -x, du -x, rsync -x), whatever layer a file is from', async (test) => {
    // Elsewhere inode numbers leave no room for that of a layer.
    if (statfsSync(api.daemon.root).type !== EXT4) return test.skip('the data root is not on ext4')
    const { id } = await api.run({ Cmd: 'echo of the second layer > /second' })
    await api.call('POST', `/commit?container=${id}&repo=second`)
    const Cmd =
      'touch /own; stat -c %d / /bin /bin/busybox /second /own | sort -u | wc -l; stat -c %i /bin/busybox /second /own | sort -u | wc -l'
    assert.equal((await api.run({ Image: 'second', Cmd })).out, '1\n3\n')
    await api.daemon.removeAll()
    await api.call('DELETE', '/images/second')
  })

  it('has tmpfs with options', async () => {
    const mounts = await output('grep " /tmp " /proc/mounts; echo x > /tmp/x; cat /tmp/x', {
      Mounts: [{ Type: 'tmpfs', Target: '/tmp', TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o755 } }],
    })
    assert.match(mounts, /tmpfs \/tmp tmpfs rw,nosuid,nodev.*size=1024k,mode=755/)
    assert.match(mounts, /\nx$/)
  })

  it('gets a working directory that is missing', async () => {
    assert.equal(await output('pwd', {}, { WorkingDir: '/made/on/the/way' }), '/made/on/the/way')
    const id = await api.started({ Cmd: FOREVER, WorkingDir: '/var' })
    assert.equal((await exec(api, id, ['pwd'])).out, '/var\n')
    assert.equal((await exec(api, id, ['pwd'], { WorkingDir: '/etc' })).out, '/etc\n')
  })
})

describe('users', () => {
  it('are looked up in the image, by name and by number', async () => {
    assert.equal(
      await output('id', {}, { User: 'www-data' }),
      'uid=33(www-data) gid=33(www-data) groups=29(audio),33(www-data)',
    )
    assert.equal(await output('id -u; id -g', {}, { User: '1234:4321' }), '1234\n4321')
    assert.equal(await output('id -G', { GroupAdd: ['audio', '777'] }), '0 29 777')
    assert.equal(await output('echo $HOME', {}, { User: 'nobody' }), '/home')
  })

  it('that do not exist are refused when the container starts', async () => {
    const id = await api.create({ Cmd: 'true', User: 'stranger' })
    const answer = await api.daemon.call('POST', `/containers/${id}/start`)
    assert.ok(answer.status >= 400)
    assert.match(answer.text, /unable to find user stranger: no matching entries in passwd file/)
    assert.equal((await api.inspect(id)).State.Status, 'created')
  })

  it('of an exec may be others', async () => {
    const id = await api.started({ Cmd: FOREVER })
    assert.equal((await exec(api, id, ['id', '-un'], { User: 'nobody' })).out, 'nobody\n')
    assert.equal((await exec(api, id, 'echo $A', { Env: ['A=b'] })).out, 'b\n')
  })
})

describe('rights', () => {
  const capabilities = ['sh', '-c', 'grep -E "Cap(Inh|Prm|Eff|Bnd|Amb)" /proc/self/status | tr -s "\\t" " "']

  it('are the fourteen capabilities of Docker, with none inheritable', async () => {
    const set = '00000000a80425fb'
    const expected = [
      'CapInh: 0000000000000000',
      `CapPrm: ${set}`,
      `CapEff: ${set}`,
      `CapBnd: ${set}`,
      'CapAmb: 0000000000000000',
    ]
    assert.equal(await output(capabilities), expected.join('\n'))
    const id = await api.started({ Cmd: FOREVER })
    assert.equal((await exec(api, id, capabilities)).out.trimEnd(), expected.join('\n'))
  })

  it('are added and dropped by name', async () => {
    assert.match(await fails('chown nobody /etc/passwd', { CapDrop: ['CHOWN'] }), /Operation not permitted/)
    assert.match(await fails('mount -t tmpfs none /tmp'), /permission denied|Operation not permitted/i)
    await output('mount -t tmpfs none /tmp', { CapAdd: ['CAP_SYS_ADMIN'] })
    assert.match(
      await output(capabilities, { CapDrop: ['ALL'], CapAdd: ['net_raw'] }),
      /CapEff: 0000000000002000/,
    )
    assert.match(
      await createRefused({ HostConfig: { CapAdd: ['FLY'] } }),
      /invalid CapAdd: unknown capability: "CAP_FLY"/,
    )
  })

  it('are none for a user who is not root', async () => {
    assert.match(
      await output(capabilities, {}, { User: 'nobody' }),
      /CapPrm: 0000000000000000\nCapEff: 0000000000000000/,
    )
  })

  it('do not grow with no-new-privileges', async () => {
    const look = 'grep NoNewPrivs /proc/self/status'
    assert.equal(await output(look), 'NoNewPrivs:\t0')
    assert.equal(await output(look, { SecurityOpt: ['no-new-privileges'] }), 'NoNewPrivs:\t1')
    assert.equal(await output('grep Seccomp: /proc/self/status'), 'Seccomp:\t2')
    assert.equal(
      await output('grep Seccomp: /proc/self/status', { SecurityOpt: ['seccomp=unconfined'] }),
      'Seccomp:\t0',
    )
    const HostConfig = { SecurityOpt: ['nonsense=1'] }
    assert.match(await createRefused({ HostConfig }), /invalid --security-opt/)
  })

  it('are a filter of the user when one is given', async () => {
    const profile = JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
    })
    assert.match(
      await fails('mkdir /made', { SecurityOpt: [`seccomp=${profile}`] }),
      /Operation not permitted/,
    )
  })

  it('are all of them with --privileged', async () => {
    const HostConfig = { Privileged: true }
    const kinds = await output(
      'grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; ls /dev/kmsg; mount -t tmpfs none /tmp && echo mounted',
      HostConfig,
    )
    const host = /CapBnd:\s+(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    assert.equal(kinds, `CapEff:\t${host}\nSeccomp:\t0\n/dev/kmsg\nmounted`)
    const id = await api.started({ Cmd: FOREVER })
    assert.match(
      (await exec(api, id, 'grep CapEff /proc/self/status', { Privileged: true })).out,
      new RegExp(host ?? ''),
    )
  })

  it('hide what a container has no business with', async () => {
    assert.equal(await output('cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c'), '0')
    for (const path of ['/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/irq/0/smp_affinity']) {
      assert.match(await fails(`echo x > ${path}`), /Read-only file system|nonexistent directory/, path)
    }
    const group = V2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory'
    assert.match(await fails(`mkdir ${group}/x`), /Read-only file system/)
  })
})

describe('devices and kernel settings', () => {
  it('are those of every container, and those asked for', async () => {
    const seen = await output(
      'cd /dev; ls -d null zero full random urandom tty ptmx pts shm mqueue fd stdin stdout stderr | tr "\\n" " "',
    )
    assert.equal(seen, 'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero')
    assert.match(await fails('mknod /dev/mem2 c 1 1 && cat /dev/mem2'), /Operation not permitted/)
    const Devices = [
      { PathOnHost: '/dev/loop-control', PathInContainer: '/dev/mine', CgroupPermissions: 'r' },
    ]
    assert.match(
      await output('stat -c "%F %t:%T" /dev/mine; head -c 0 < /dev/mine', { Devices }),
      /^character special file a:ed/,
    )
    assert.match(await fails('echo > /dev/mine', { Devices }), /Operation not permitted/)
    const id = await api.create({
      Cmd: 'true',
      HostConfig: { Devices: [{ PathOnHost: '/dev/nothing-there' }] },
    })
    const answer = await api.daemon.call('POST', `/containers/${id}/start`)
    assert.match(
      answer.text,
      /error gathering device information while adding custom device \\"\/dev\/nothing-there\\": no such file or directory/,
    )
  })

  it('sysctls of its own namespaces can be set', async () => {
    const Sysctls = { 'net.core.somaxconn': '1234', 'kernel.msgmax': '4321' }
    assert.equal(
      await output('cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax', { Sysctls }),
      '1234\n4321',
    )
    const HostConfig = { Sysctls: { 'vm.swappiness': '1' } }
    const id = await api.daemon.call('POST', '/containers/create', {
      Image: 'busybox',
      Cmd: ['true'],
      HostConfig,
    })
    const text =
      id.status === 201
        ? (await api.daemon.call('POST', `/containers/${id.json<{ Id: string }>().Id}/start`)).text
        : id.text
    assert.match(text, /sysctl .*vm\.swappiness.* is not in a separate kernel namespace|vm\.swappiness/)
  })
})

describe('namespaces', () => {
  const namespace = (kind: string, pid: number | 'self' = 'self'): string =>
    readlinkSync(`/proc/${pid}/ns/${kind}`)

  it('are private unless said otherwise', async () => {
    const id = await api.started({ Cmd: FOREVER })
    const { Pid } = (await api.inspect(id)).State
    for (const kind of ['mnt', 'net', 'uts', 'ipc', 'pid'])
      assert.notEqual(namespace(kind, Pid), namespace(kind), kind)
  })

  it('are those of the host when asked', async () => {
    const HostConfig = { PidMode: 'host', IpcMode: 'host', UTSMode: 'host', NetworkMode: 'host' }
    const id = await api.started({ Cmd: FOREVER, HostConfig })
    const { Pid } = (await api.inspect(id)).State
    for (const kind of ['uts', 'ipc', 'pid']) assert.equal(namespace(kind, Pid), namespace(kind), kind)
    // The host's network is that of the daemon.
    assert.equal(namespace('net', Pid), namespace('net', api.daemon.pid))
    assert.equal((await exec(api, id, ['hostname'])).out.trim(), hostname())
  })

  it('are those of another container when asked, and it must run', async () => {
    const first = await api.started({ Cmd: FOREVER, HostConfig: { IpcMode: 'shareable' } }, 'first')
    const HostConfig = {
      PidMode: 'container:first',
      IpcMode: `container:${first}`,
      NetworkMode: 'container:first',
    }
    const second = await api.started({ Cmd: FOREVER, HostConfig })
    const pids = [(await api.inspect(first)).State.Pid, (await api.inspect(second)).State.Pid]
    for (const kind of ['pid', 'ipc', 'net'])
      assert.equal(namespace(kind, pids[1] ?? 0), namespace(kind, pids[0] ?? 0), kind)
    assert.equal((await exec(api, second, ['hostname'])).out, (await exec(api, first, ['hostname'])).out)
    // The namespace of semaphores and queues; POSIX has its shared memory in a directory.
    await exec(api, first, 'echo shared > /dev/shm/from-first')
    const shm = await exec(
      api,
      second,
      'cat /dev/shm/from-first; rm /dev/shm/from-first; grep -c " /dev/shm " /proc/mounts',
    )
    assert.equal(shm.out, 'shared\n1\n')
    assert.equal((await exec(api, first, 'ls /dev/shm')).out, '')

    await api.remove(second)
    await api.started({ Cmd: FOREVER }, 'closed')
    const curious = await api.create({ Cmd: 'true', HostConfig: { IpcMode: 'container:closed' } })
    const refused = await api.daemon.call('POST', `/containers/${curious}/start`)
    assert.equal(refused.status, 400)
    assert.match(refused.text, /non-shareable IPC/)
    const third = await api.create({ Cmd: 'true', HostConfig: { NetworkMode: 'container:first' } })
    await api.call('POST', '/containers/first/stop?t=1')
    assert.match(
      (await api.daemon.call('POST', `/containers/${third}/start`)).text,
      /cannot join network of a non running container/,
    )
    for (const [mode, what] of [
      ['PidMode', 'PID'],
      ['IpcMode', 'IPC'],
    ] as const) {
      const late = await api.create({ Cmd: 'true', HostConfig: { [mode]: 'container:first' } })
      assert.equal(
        await api.refused(409, 'POST', `/containers/${late}/start`),
        `failed to join ${what} namespace: container ${first} is not running`,
      )
    }
  })

  it('have the host name that was asked for', async () => {
    const look = 'hostname; cat /etc/hostname; tail -1 /etc/hosts | cut -f2'
    assert.equal(
      await output(look, {}, { Hostname: 'box', Domainname: 'example.com' }),
      'box\nbox\nbox.example.com box',
    )
    assert.match(await output(look, { ExtraHosts: ['db:10.1.2.3'] }), /^[0-9a-f]{12}\n/)
    assert.match(
      await output('cat /etc/hosts', { ExtraHosts: ['db:10.1.2.3', 'gw:host-gateway'] }),
      /10\.1\.2\.3\tdb\n(\d+\.){3}\d+\tgw/,
    )
    assert.match(
      await output('cat /etc/resolv.conf', {
        Dns: ['192.0.2.1'],
        DnsSearch: ['a.test'],
        DnsOptions: ['ndots:3'],
      }),
      /nameserver 192\.0\.2\.1\nsearch a\.test\noptions ndots:3/,
    )
  })

  it('have no network with none', async () => {
    assert.equal(await output('ls /sys/class/net', { NetworkMode: 'none' }), 'lo')
  })
})

describe('volumes', () => {
  it('keep their data, and begin with what the image has there', async () => {
    assert.equal(
      await output(
        'stat -c "%a %u %g" /seed; cat /seed/link; stat -c "%a %u" /seed/file; echo more >> /seed/file',
        { Binds: ['data:/seed'] },
      ),
      '750 33 33\nfrom the image640 33',
    )
    assert.equal(await output('cat /seed/file', { Binds: ['data:/seed'] }), 'from the imagemore')
    assert.equal(await output('ls /empty', { Binds: ['bare:/empty'] }), '')
    assert.equal(
      await output('ls /seed', {
        Mounts: [{ Type: 'volume', Source: 'uncopied', Target: '/seed', VolumeOptions: { NoCopy: true } }],
      }),
      '',
    )
    const { Mountpoint } = (await api.call('GET', '/volumes/data')).json<{ Mountpoint: string }>()
    assert.deepEqual(
      readdirSync(Mountpoint).toSorted((a, b) => a.localeCompare(b)),
      ['file', 'link'],
    )
    assert.equal(lstatSync(Mountpoint).uid, 33)
  })

  it('are in use while a container has them', async () => {
    const id = await api.create({ Cmd: 'true', HostConfig: { Binds: ['data:/data'] } })
    assert.match(
      await api.refused(409, 'DELETE', '/volumes/data'),
      new RegExp(`volume is in use - \\[${id}\\]`),
    )
    await api.remove(id)
    // Named: it outlives its container.
    await api.call('DELETE', '/volumes/data', undefined, 204)
    assert.match(await api.refused(404, 'GET', '/volumes/data'), /no such volume/)
  })

  it('without a name go with their container, when asked', async () => {
    const volumes = async (): Promise<number> =>
      ((await api.call('GET', '/volumes')).json<{ Volumes: unknown[] | null }>().Volumes ?? []).length
    const kept = await api.run({ Cmd: 'true', Volumes: { '/seed': {} } })
    assert.equal(await volumes(), 1)
    const [mount] = (await api.inspect(kept.id)).Mounts ?? []
    assert.match(mount?.Name ?? '', /^[0-9a-f]{64}$/)
    await api.call('DELETE', `/containers/${kept.id}`, undefined, 204)
    assert.equal(await volumes(), 1)
    await api.once({ Cmd: 'true', Volumes: { '/seed': {} } })
    assert.equal(await volumes(), 1)
    const id = await api.started({ Cmd: 'true', Volumes: { '/seed': {} }, HostConfig: { AutoRemove: true } })
    await api.until(
      'its removal',
      async () => (await api.daemon.call('GET', `/containers/${id}/json`)).status === 404,
    )
    assert.equal(await volumes(), 1)
    await api.call('POST', '/volumes/prune')
    assert.equal(await volumes(), 0)
  })

  it('can be borrowed from another container', async () => {
    await api.run({ Cmd: 'echo lent > /data/x', HostConfig: { Binds: ['data:/data'] } }, 'lender')
    assert.equal(await output('cat /data/x', { VolumesFrom: ['lender'] }), 'lent')
    assert.match(await fails('touch /data/y', { VolumesFrom: ['lender:ro'] }), /Read-only file system/)
  })
})

describe('binds', () => {
  it('show a directory of the host, writable or not', async () => {
    const source = join(scratch, 'shown')
    mkdirSync(source)
    writeFileSync(join(source, 'x'), 'host')
    assert.equal(await output('cat /b/x; echo container > /b/y', { Binds: [`${source}:/b`] }), 'host')
    assert.equal(readFileSync(join(source, 'y'), 'utf8'), 'container\n')
    assert.match(await fails('touch /b/z', { Binds: [`${source}:/b:ro`] }), /Read-only file system/)
    const file = join(source, 'x')
    assert.equal(await output('cat /etc/one', { Binds: [`${file}:/etc/one`] }), 'host')
  })

  it('are read-only with everything mounted below', async () => {
    const source = join(scratch, 'deep')
    mkdirSync(join(source, 'below'), { recursive: true })
    run('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'below')])
    try {
      assert.match(await fails('touch /b/below/x', { Binds: [`${source}:/b:ro`] }), /Read-only file system/)
      await output('touch /b/below/x', { Binds: [`${source}:/b`] })
      const Mounts = [
        {
          Type: 'bind',
          Source: source,
          Target: '/b',
          ReadOnly: true,
          BindOptions: { ReadOnlyNonRecursive: true },
        },
      ]
      await output('touch /b/below/y; ! touch /b/x 2>/dev/null', { Mounts })
    } finally {
      run('umount', [join(source, 'below')])
    }
  })

  it('make a missing source with -v, and refuse it with --mount', async () => {
    const missing = join(scratch, 'missing')
    const message = await createRefused({
      HostConfig: { Mounts: [{ Type: 'bind', Source: missing, Target: '/b' }] },
    })
    assert.equal(message, `invalid mount config for type "bind": bind source path does not exist: ${missing}`)
    assert.equal(existsSync(missing), false)
    await output('touch /b/x', { Binds: [`${missing}:/b`] })
    assert.ok(existsSync(join(missing, 'x')))
    assert.match(
      await api.refused(500, 'POST', '/containers/create', {
        Image: 'busybox',
        Cmd: ['true'],
        HostConfig: { Binds: ['/proc/nope/x:/b'] },
      }),
      /^error while creating mount source path '\/proc\/nope\/x': ENOENT: no such file or directory/,
    )
  })

  it('refuse what is no path', async () => {
    assert.match(
      await createRefused({ HostConfig: { Binds: ['/a:relative'] } }),
      /invalid volume specification: '\/a:relative'|invalid mount path: 'relative' mount path must be absolute/,
    )
    assert.match(await createRefused({ HostConfig: { Binds: ['/a:/b:sideways'] } }), /invalid mode: sideways/)
    assert.match(
      await createRefused({ HostConfig: { Binds: ['/a:/b', '/c:/b'] } }),
      /Duplicate mount point: \/b/,
    )
    assert.match(
      await createRefused({ HostConfig: { Mounts: [{ Type: 'odd', Target: '/x' }] } }),
      /mount type unknown|invalid mount config for type "odd"|odd/,
    )
  })
})

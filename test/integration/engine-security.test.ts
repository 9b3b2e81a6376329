/** What other engines were broken by, tried on running containers; each test is named after its attack. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import { run } from '#test/support/daemon.ts'
import { EngineApi, type Wanted, exec } from '#test/support/engine-api.ts'
import { ociLayout } from '#test/support/oci-layout.ts'

let api: EngineApi

before(async () => {
  // The daemon has this in its environment; no container may.
  Object.assign(process.env, { BERTH_TEST_SECRET: 'leaked', FOO: 'leaked' })
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

/** Fails in creating or starting, with a status; otherwise the output. */
async function attempt(wanted: Wanted): Promise<{ readonly status: number; readonly text: string }> {
  const { Cmd } = wanted
  const body = { Image: 'busybox', ...wanted, Cmd: typeof Cmd === 'string' ? ['sh', '-c', Cmd] : Cmd }
  const created = await api.daemon.call('POST', '/containers/create', body)
  if (created.status !== 201) return created
  const { Id } = created.json<{ Id: string }>()
  const started = await api.daemon.call('POST', `/containers/${Id}/start`)
  if (started.status === 204) await api.wait(Id)
  const { out, err } = await api.logs(Id)
  await api.remove(Id)
  return { status: started.status, text: started.status === 204 ? out + err : started.text }
}

async function load(name: string, config: object, annotations: Record<string, string> = {}): Promise<void> {
  const rootfs = await busyboxTar()
  const loaded = await api.call(
    'POST',
    '/images/load',
    await ociLayout({ name, rootfs, config, annotations }),
  )
  assert.match(loaded.text, new RegExp(`Loaded image: ${name}`))
}

describe('descriptors and handles', () => {
  it('a container has 0 to 2 only, in run and in exec (CVE-2016-9962, CVE-2024-21626)', async () => {
    // The fourth is the directory that ls reads.
    const list = ['ls', '/proc/self/fd']
    assert.equal((await api.once({ Cmd: list })).out, '0\n1\n2\n3\n')
    assert.equal((await api.once({ Cmd: list, HostConfig: { Init: true } })).out, '0\n1\n2\n3\n')
    const terminal = await api.started({ Cmd: ['ls', '-1', '/proc/self/fd'], Tty: true })
    await api.wait(terminal)
    const screen = await api.call('GET', `/containers/${terminal}/logs?stdout=1`)
    assert.deepEqual(screen.text.match(/\d+/g), ['0', '1', '2', '3'])
    const id = await api.started({ Cmd: FOREVER })
    assert.equal((await exec(api, id, list)).out, '0\n1\n2\n3\n')
    assert.equal((await exec(api, id, 'ls /proc/1/fd')).out, '0\n1\n2\n')
  })

  it('siblings that start together inherit nothing of each other (moby#41136, #32090)', async () => {
    const HostConfig = { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } }
    const ids = await Promise.all(Array.from({ length: 8 }, () => api.started({ Cmd: FOREVER, HostConfig })))
    const pids = await Promise.all(ids.map(async (id) => (await api.inspect(id)).State.Pid))
    for (const pid of pids) {
      // The start is over shortly before the runtime becomes the command.
      const isCommand = (): boolean => readlinkSync(`/proc/${pid}/exe`).endsWith('/bin/busybox')
      await api.until('the command', () => Promise.resolve(isCommand()))
      assert.deepEqual(readdirSync(`/proc/${pid}/fd`).toSorted(), ['0', '1', '2'])
    }
    // No pipe of a container is open in the supervisor of another one.
    const holders = new Map<string, string[]>()
    for (const shim of shims())
      for (const fd of readdirSync(`/proc/${shim}/fd`)) {
        const target = readlinkSync(`/proc/${shim}/fd/${fd}`)
        assert.ok(!target.startsWith('net:['), `${shim} holds ${target}`)
        if (target.startsWith('pipe:')) holders.set(target, [...(holders.get(target) ?? []), shim])
      }
    for (const [pipe, by] of holders) assert.equal(new Set(by).size, 1, `${pipe} is open in ${by.join()}`)
  })

  it('WORKDIR /proc/self/fd/N is never on the host (CVE-2024-21626)', async () => {
    const marker = join(api.daemon.root, 'of-the-host')
    writeFileSync(marker, 'on the host')
    const Cmd = ['sh', '-c', `cat ../../../../../../../..${marker} ./of-the-host 2>&1; pwd -P`]
    const running = await api.started({ Cmd: FOREVER })
    const answers: string[] = []
    for (let fd = 3; fd < 16; fd += 1) {
      const WorkingDir = `/proc/self/fd/${fd}`
      answers.push((await attempt({ Cmd, WorkingDir })).text)
      const { Id } = (
        await api.call('POST', `/containers/${running}/exec`, { Cmd, WorkingDir, AttachStdout: true })
      ).json<{ Id: string }>()
      answers.push((await api.daemon.call('POST', `/exec/${Id}/start`, {})).text)
    }
    for (const text of answers) assert.ok(!text.includes('on the host'), text)
    assert.equal((await api.inspect(running)).State.Status, 'running')
  })

  it('the runtime and its helpers stay as they are when a container runs /proc/self/exe (CVE-2019-5736)', async () => {
    const before = programs()
    assert.ok(before.size >= 4)
    await api.import(
      'selfexe',
      await busyboxTar(member({ path: 'entry', mode: 0o755 }, '#!/proc/self/exe\n')),
    )
    await attempt({ Image: 'selfexe', Cmd: ['/entry'] })
    await attempt({ Image: 'selfexe', Cmd: ['/proc/self/exe', '--version'] })
    const overwriter =
      'while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in /bin/busybox|"") ;; ' +
      '*) echo met; exec 9< $p/exe && echo x > /proc/self/fd/9; echo x > $p/exe;; esac; done 2>/dev/null; done'
    const id = await api.started({ Image: 'selfexe', Cmd: overwriter })
    for (let round = 0; round < 5; round += 1) {
      const { Id } = (
        await api.call('POST', `/containers/${id}/exec`, { Cmd: ['/proc/self/exe'], AttachStdout: true })
      ).json<{ Id: string }>()
      await api.daemon.call('POST', `/exec/${Id}/start`, {})
      await exec(api, id, ['/entry'])
    }
    // What is mounted in from the host for --init is not to be written either.
    const init = await attempt({ Cmd: 'echo x > /sbin/docker-init', HostConfig: { Init: true } })
    assert.match(init.text, /Read-only file system|Text file busy|Permission denied/)
    assert.deepEqual(programs(), before)
    await api.daemon.removeAll()
    await api.call('DELETE', '/images/selfexe')
  })

  it('no engine socket is on an abstract address, and none is open to others (CVE-2020-15257)', async () => {
    await api.started({ Cmd: FOREVER })
    const seen = await api.once({ Cmd: ['cat', '/proc/net/unix'], HostConfig: { NetworkMode: 'host' } })
    assert.match(seen.out, /^Num/)
    assert.ok(!seen.out.includes(' @'), seen.out)
    const { execRoot } = api.daemon.marks
    for (const path of readdirSync(execRoot, { recursive: true, encoding: 'utf8' })) {
      if (path.includes('rootfs/')) continue
      const status = lstatSync(join(execRoot, path), { throwIfNoEntry: false })
      if (status?.isSocket() === true) assert.equal(status.mode & 0o077, 0, path)
    }
    assert.equal(lstatSync(api.daemon.socket).mode & 0o007, 0)
  })

  it('the engine listens on no address that a container reaches (CVE-2025-9074)', async () => {
    const ran = await api.once({
      Cmd: 'gateway=$(ip route | sed -n "s/^default via \\([^ ]*\\).*/\\1/p"); [ -n "$gateway" ] && echo found; for port in 2375 2376 80 443; do nc -z -w 1 $gateway $port && echo open $port; done; find / -xdev -type s',
    })
    assert.equal(ran.out, 'found\n')
    assert.equal(api.daemon.inside('ss', '-Hltn').stdout, '')
  })

  function shims(): string[] {
    return readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid) || !existsSync(`/proc/${pid}/cmdline`)) return false
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      return line.includes('berth-shim') && line.includes(`${api.daemon.marks.execRoot}/`)
    })
  }

  function programs(): Map<string, string> {
    const native = join(import.meta.dirname, '../../native/build')
    const ours = ['berth-shim', 'berth-helper', 'berth-tree', 'berth-init'].map((name) => join(native, name))
    const found = [...ours, '/usr/bin/crun', '/usr/bin/runc', '/usr/sbin/runc'].filter((path) =>
      existsSync(path),
    )
    return new Map(found.map((path) => [path, createHash('sha256').update(readFileSync(path)).digest('hex')]))
  }
})

describe('privileges', () => {
  it('inheritable and ambient capabilities are empty, in run and exec, for root and others (CVE-2022-24769)', async () => {
    const Cmd = ['grep', '^Cap', '/proc/self/status']
    const id = await api.started({ Cmd: FOREVER })
    for (const User of ['', '1000', 'www-data']) {
      const root = User === ''
      for (const { out } of [await api.once({ Cmd, User }), await exec(api, id, Cmd, { User })]) {
        const sets = Object.fromEntries(
          out
            .trim()
            .split('\n')
            .map((line) => line.split(':\t')),
        )
        const none = '0000000000000000'
        const all = '00000000a80425fb'
        assert.deepEqual(
          sets,
          { CapInh: none, CapPrm: root ? all : none, CapEff: root ? all : none, CapBnd: all, CapAmb: none },
          `user ${User}`,
        )
      }
    }
  })

  it('AF_ALG and AF_VSOCK are refused, on every way to ask (CVE-2026-31431)', async () => {
    const program = join(api.daemon.root, 'seccomp-filter')
    execFileSync('gcc', ['-static', '-o', program, join(import.meta.dirname, 'seccomp-filter.c')])
    const id = await api.create({ Cmd: ['/probe'] })
    const tar = await tarOf(member({ path: 'probe', mode: 0o755 }, readFileSync(program)))
    await api.call('PUT', `/containers/${id}/archive?path=/`, tar)
    await api.call('POST', `/containers/${id}/start`)
    assert.equal(await api.wait(id), 0)
    const { out } = await api.logs(id)
    const results = out.trim().split('\n')
    for (const line of results.filter((one) => /^socket(pair)?-/.test(one))) assert.match(line, / -1$/)
    for (const line of results) assert.match(line, /^(\S*unix 1|\S+ -\d+)$/)
  })

  it('kernel knobs are masked or read-only', async () => {
    const id = await api.started({ Cmd: FOREVER })
    const masked = await exec(
      api,
      id,
      'for f in kcore keys latency_stats sched_debug timer_list timer_stats interrupts; do ' +
        '[ -e /proc/$f ] && head -c 1 /proc/$f; done; for d in /proc/acpi /proc/scsi /proc/asound /sys/firmware ' +
        '/sys/devices/virtual/powercap; do [ -d $d ] && ls $d; done; true',
    )
    assert.deepEqual(masked, { code: 0, out: '', err: '' })
    for (const path of [
      '/proc/sys/kernel/core_pattern',
      '/proc/sys/kernel/hostname',
      '/proc/sysrq-trigger',
      '/proc/sys/vm/panic_on_oom',
      '/sys/kernel/profiling',
      '$(ls -d /sys/fs/cgroup/devices/devices.allow /sys/fs/cgroup/cgroup.procs 2>/dev/null | head -n 1)',
    ]) {
      const { code, err } = await exec(api, id, `echo 0 > ${path}`)
      assert.notEqual(code, 0, path)
      assert.match(err, /Read-only file system|nonexistent directory|Permission denied/, path)
    }
    const mounted = await exec(api, id, 'mount -t tmpfs none /tmp || mount -o remount,rw /proc/sys; true')
    assert.match(mounted.err, /permission denied[^]*permission denied/i)
    assert.deepEqual(
      (await exec(api, id, 'mknod /tmp/fuse c 10 229; mknod /tmp/sda b 8 0; cat /tmp/fuse /tmp/sda')).out,
      '',
    )
  })

  it('thermal throttle counters are masked (GHSA-6fw5-f8r9-fgfm)', async () => {
    const { out } = await api.once({
      Cmd: 'for d in /sys/devices/system/cpu/cpu*/thermal_throttle; do [ -d $d ] && ls $d; done; true',
    })
    assert.equal(out, '')
  })

  it('a forwarded interface with IPv4 only has IPv6 off (CVE-2024-32473)', async () => {
    const ran = await api.once({
      Cmd: 'cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip -6 addr show dev eth0; ip -6 route show dev eth0',
    })
    assert.equal(ran.out, '1\n')
  })

  it('data and runtime files are closed to other users (CVE-2021-41091)', async () => {
    await api.started({ Cmd: 'cp /bin/busybox /suid; chmod 4755 /suid; exec sleep 1000' })
    const { dataRoot, execRoot } = api.daemon.marks
    const before = lstatSync(api.daemon.root).mode
    chmodSync(api.daemon.root, 0o755)
    try {
      for (const path of [dataRoot, execRoot]) {
        // Through the runtime directory, and no further, users of other namespaces reach what is mounted there.
        assert.equal(lstatSync(path).mode & 0o777, path === dataRoot ? 0o700 : 0o711, path)
        const nobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups']
        const { code, stdout, stderr } = run('setpriv', [...nobody, 'ls', path])
        assert.notEqual(code, 0)
        assert.equal(stdout, '')
        assert.match(stderr, /Permission denied/)
      }
    } finally {
      chmodSync(api.daemon.root, before & 0o777)
    }
  })
})

describe('users', () => {
  it('the primary group is among the groups (CVE-2022-36109)', async () => {
    const Cmd = 'id -u; id -g; id -G | tr " " "\\n" | sort -n | tr "\\n" " "'
    const expected: Readonly<Record<string, string>> = {
      '': '0\n0\n0 ',
      'www-data': '33\n33\n29 33 ',
      '33:65534': '33\n65534\n65534 ',
      '1000:33': '1000\n33\n33 ',
    }
    const id = await api.started({ Cmd: FOREVER })
    for (const [User, out] of Object.entries(expected)) {
      assert.equal((await api.once({ Cmd, User })).out, out, User)
      assert.equal((await exec(api, id, Cmd, { User })).out, out, `exec as ${User}`)
    }
    const added = await api.once({ Cmd, User: '1000', HostConfig: { GroupAdd: ['audio', '77'] } })
    assert.equal(added.out, '1000\n0\n0 29 77 ')
    // A group that is denied stays denied.
    const denied = 'echo secret > /tmp/f; chown 0:33 /tmp/f; chmod 604 /tmp/f'
    assert.match((await exec(api, id, denied)).err, /^$/)
    assert.match((await exec(api, id, 'cat /tmp/f', { User: '1000:33' })).err, /Permission denied/)
  })

  it('a number is never looked up as a name (CVE-2026-46680)', async () => {
    const passwd = '1000:x:0:0:root:/root:/bin/sh\n+1001:x:0:0::/:/bin/sh\nroot:x:0:0::/root:/bin/sh\n'
    await api.import('numbers', await busyboxTar(member({ path: 'etc/passwd' }, passwd)))
    assert.equal((await api.once({ Image: 'numbers', Cmd: 'id -u', User: '1000' })).out, '1000\n')
    const id = await api.started({ Image: 'numbers', Cmd: FOREVER })
    assert.equal((await exec(api, id, 'id -u', { User: '1000' })).out, '1000\n')
    assert.ok((await attempt({ Image: 'numbers', Cmd: 'id -u', User: '+1001' })).status >= 400)
    await api.daemon.removeAll()
    await api.call('DELETE', '/images/numbers')
  })

  it('ids that are negative to somebody are refused (CVE-2024-40635)', async () => {
    const id = await api.started({ Cmd: FOREVER })
    for (const User of ['4294967296', '2147483648', '-1', '0:4294967296', '18446744073709551616']) {
      const { status, text } = await attempt({ Cmd: 'id', User })
      assert.ok(status >= 400 && status < 500, `${User}: ${status} ${text}`)
      const created = await api.daemon.call('POST', `/containers/${id}/exec`, {
        Cmd: ['id'],
        User,
        AttachStdout: true,
      })
      if (created.status !== 201) continue
      const { Id } = created.json<{ Id: string }>()
      const ran = await api.daemon.call('POST', `/exec/${Id}/start`, {})
      assert.doesNotMatch(ran.text, /uid=/, `exec as ${User}`)
    }
    const group = await attempt({ Cmd: 'id', HostConfig: { GroupAdd: ['4294967296'] } })
    assert.ok(group.status >= 400, group.text)
  })

  it('a giant /etc/group is refused without being read (CVE-2026-47262, GHSA-mjcv-p78q-w5fw)', async () => {
    const id = await api.started({
      Cmd: 'for f in group passwd; do dd if=/dev/zero of=/etc/$f bs=1 count=0 seek=2G 2>&1; done; echo made; sleep 1000',
    })
    await api.until('the files', async () => (await api.logs(id)).out.endsWith('made\n'))
    const before = residentBytes()
    for (const User of ['', 'www-data', '1000:audio']) {
      const body = { Cmd: ['id'], User, AttachStdout: true }
      const created = await api.daemon.call('POST', `/containers/${id}/exec`, body)
      const ran =
        created.status === 201
          ? await api.daemon.call('POST', `/exec/${created.json<{ Id: string }>().Id}/start`, {})
          : created
      assert.match(ran.text, /(passwd|group) .*(large|bytes)/, User)
    }
    await api.daemon.call('PUT', `/containers/${id}/archive?path=/tmp&copyUIDGID=1`, await tarOf())
    assert.ok(residentBytes() - before < 64 << 20, 'the daemon has not grown')
  })

  /** Most that the daemon has ever had in memory. */
  function residentBytes(): number {
    const [, kilobytes = '0'] =
      /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${api.daemon.pid}/status`, 'utf8')) ?? []
    return Number(kilobytes) * 1024
  }
})

describe('what images say', () => {
  it('labels and annotations change nothing in what is run (CVE-2026-94603, CVE-2026-53488)', async () => {
    const names = [
      'io.podman.annotations.checkpoint.name',
      'io.podman.annotations.privileged',
      'io.podman.annotations.seccomp',
      'io.podman.annotations.label',
      'io.podman.annotations.init',
      'io.containers.capabilities',
      'io.containers.autoupdate',
      'org.criu.checkpoint.container.name',
      'io.kubernetes.cri-o.annotations.checkpoint.name',
      'io.kubernetes.cri-o.userns-mode',
      'io.kubernetes.cri-o.Devices',
      'run.oci.keep_original_groups',
      'run.oci.hooks.stdout',
      'run.oci.mount_context_type',
      'run.oci.seccomp.receiver',
      'run.oci.systemd.subgroup',
      'run.oci.delegate-cgroup',
      'module.wasm.image/variant',
      'run.oci.handler',
      'org.systemd.property.DeviceAllow',
      'containerd.io/restart.status',
      'containerd.io/restart.loguri',
      'containerd.io/checkpoint',
      'cdi.k8s.io/x',
      'com.docker.security.options',
      'com.docker.network.bridge.name',
      'com.docker.compose.project',
      'security.alpha.kubernetes.io/unsafe-sysctls',
      'dev.berth.privileged',
      'berth.privileged',
    ]
    const said = Object.fromEntries(names.map((name) => [name, 'binary:///bin/sh']))
    await load('plain:1', { Cmd: ['sleep', '1000'] })
    await load('marked:1', { Cmd: ['sleep', '1000'], Labels: said }, said)
    const specs: unknown[] = []
    for (const Image of ['plain:1', 'marked:1']) {
      const id = await api.started({ Image, Hostname: 'h', HostConfig: { NetworkMode: 'none' } })
      const file = join(api.daemon.marks.execRoot, 'c', id.slice(0, 32), 'config.json')
      specs.push(
        JSON.parse(readFileSync(file, 'utf8').replaceAll(id, 'ID').replaceAll(id.slice(0, 32), 'ID')),
      )
      if (Image === 'marked:1') assert.deepEqual((await api.inspect(id)).Config?.Labels, said)
      await api.remove(id)
    }
    assert.deepEqual(specs[1], specs[0])
    for (const name of ['plain:1', 'marked:1']) await api.call('DELETE', `/images/${name}`)
  })

  it('Env takes nothing from the daemon (CVE-2026-57231)', async () => {
    const Env = ['FOO', '*', 'BERTH_TEST_SECRET', 'BERTH_*', 'A=1', 'B=$FOO', 'C=${BERTH_TEST_SECRET}']
    await load('environment:1', { Cmd: ['env'], Env: [...Env, 'PATH'] })
    await load('broken:1', { Cmd: ['env'], Env: [...Env, '=x', ''] })
    assert.doesNotMatch((await attempt({ Image: 'broken:1' })).text, /leaked/)
    const id = await api.started({ Image: 'environment:1', Cmd: FOREVER })
    const outputs = [
      (await api.once({ Image: 'environment:1' })).out,
      (await api.once({ Cmd: ['env'], Env })).out,
      (await exec(api, id, ['env'])).out,
      (await exec(api, id, ['env'], { Env })).out,
    ]
    for (const out of outputs) {
      assert.doesNotMatch(out, /leaked/)
      assert.match(out, /^A=1$/m)
      assert.match(out, /^PATH=\/usr\/local\/sbin:/m)
    }
    await api.daemon.removeAll()
    for (const name of ['environment:1', 'broken:1']) await api.call('DELETE', `/images/${name}`)
  })
})

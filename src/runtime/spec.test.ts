import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { assertGolden } from '#test/golden/spec/golden.ts'
import { kernelCapabilities } from './capabilities.ts'
import { buildExecProcess, buildSpec } from './spec.ts'
import type { SpecInput, SpecMachine, SpecSecurity } from './spec.ts'

const machine: SpecMachine = {
  cgroupVersion: 'v2',
  cpus: 4,
  hardLimits: { nofile: 20_000 },
  capabilities: kernelCapabilities,
  timeNamespaces: true,
  thermalThrottlePaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
  architecture: 'amd64',
  kernel: '6.18.0',
}

const plain: SpecSecurity = {
  privileged: false,
  capAdd: [],
  capDrop: [],
  noNewPrivileges: false,
  seccomp: 'unconfined',
}

/** A container without any option, except that seccomp is off to keep goldens readable. */
function input(changes: Partial<SpecInput> = {}): SpecInput {
  return {
    id: 'a'.repeat(64),
    hostname: 'aaaaaaaaaaaa',
    domainname: '',
    args: ['sh', '-c', 'true'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=aaaaaaaaaaaa'],
    cwd: '/',
    user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
    tty: false,
    mounts: [],
    resources: {},
    security: plain,
    namespaces: { pid: 'private', ipc: 'private', uts: 'private', cgroup: 'private', network: 'shim' },
    sysctls: {},
    rlimits: [],
    devices: [],
    readonlyRootfs: false,
    shmSize: 67_108_864,
    cgroupsPath: '/docker/a',
    oomScoreAdj: 0,
    annotations: {},
    machine,
    ...changes,
  }
}

const cases: Readonly<Record<string, SpecInput>> = {
  default: input({ security: { ...plain, seccomp: 'default' } }),
  'default-arm64': input({
    security: { ...plain, seccomp: 'default' },
    machine: { ...machine, architecture: 'arm64' },
  }),
  'terminal-non-root': input({
    tty: true,
    consoleSize: { rows: 24, columns: 80 },
    user: { uid: 1000, gid: 1000, additionalGids: [1000, 27], home: '/home/dev' },
    cwd: '/work',
    domainname: 'example.org',
    security: { ...plain, noNewPrivileges: true, capDrop: ['all'], capAdd: ['net_bind_service'] },
  }),
  privileged: input({
    security: { ...plain, privileged: true, seccomp: 'default', maskedPaths: ['/proc/acpi'] },
    devices: [
      { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0, access: 'rwm' },
    ],
    machine: { ...machine, cgroupVersion: 'v1' },
  }),
  devices: input({
    devices: [
      { path: '/dev/xvdc', type: 'b', major: 202, minor: 32, fileMode: 0o660, uid: 0, gid: 6, access: 'r' },
    ],
    resources: { deviceCgroupRules: ['c 13:* rwm', 'a *:* m'] },
  }),
  'host-namespaces': input({
    namespaces: { pid: 'host', ipc: 'host', uts: 'host', cgroup: 'host', network: 'host' },
    domainname: 'ignored',
  }),
  'joined-namespaces': input({
    namespaces: {
      pid: '/proc/7/ns/pid',
      ipc: '/proc/7/ns/ipc',
      uts: 'private',
      cgroup: 'private',
      network: 'shim',
    },
    mounts: [
      { type: 'bind', source: '/run/shm-of-7', destination: '/dev/shm', options: ['rbind', 'rprivate'] },
    ],
  }),
  mounts: input({
    readonlyRootfs: true,
    namespaces: { pid: 'private', ipc: 'none', uts: 'private', cgroup: 'private', network: 'shim' },
    mounts: [
      { type: 'bind', source: '/src/deep', destination: '/data/deep', options: ['rbind', 'rslave'] },
      { type: 'tmpfs', source: 'tmpfs', destination: '/data', options: ['nosuid', 'size=1m'] },
      { type: 'bind', source: '/src/hosts', destination: '/etc/hosts', options: ['rbind', 'ro', 'rprivate'] },
    ],
  }),
  'resources-v2': input({
    resources: {
      memory: 256 << 20,
      memorySwap: 512 << 20,
      memoryReservation: 128 << 20,
      memorySwappiness: 10,
      oomKillDisable: true,
      nanoCpus: 1_500_000_000,
      cpuShares: 512,
      cpuRealtimePeriod: 1_000_000,
      cpuRealtimeRuntime: 950_000,
      cpusetCpus: '0-1',
      cpusetMems: '0',
      pidsLimit: 0,
      blkioWeight: 300,
      blkioDeviceReadBps: [{ major: 8, minor: 0, rate: 1_048_576 }],
      blkioDeviceWriteIOps: [{ major: 8, minor: 0, rate: 100 }],
    },
    sysctls: { 'net.core.somaxconn': '1024', 'kernel.shmmax': '1', 'fs.mqueue.msg_max': '9' },
    rlimits: [
      { type: 'nofile', soft: 1024, hard: 1_048_576 },
      { type: 'core', soft: -1, hard: -1 },
    ],
    oomScoreAdj: -500,
    annotations: { 'com.example.team': 'db' },
  }),
  'resources-v1': input({
    machine: { ...machine, cgroupVersion: 'v1', timeNamespaces: false, minOomScoreAdj: 0 },
    resources: {
      memory: 256 << 20,
      memorySwap: -1,
      memorySwappiness: 10,
      oomKillDisable: true,
      cpuPeriod: 50_000,
      cpuQuota: 25_000,
      cpuRealtimePeriod: 1_000_000,
      cpuRealtimeRuntime: 950_000,
      pidsLimit: 100,
    },
    oomScoreAdj: -500,
  }),
}

describe('buildSpec()', () => {
  for (const [name, given] of Object.entries(cases)) {
    it(`gives the spec of golden/spec/${name}.json`, () => assertGolden(name, buildSpec(given)))
  }

  it('leaves the sysctls of the network to the shim', () => {
    const { linux } = buildSpec(input({ sysctls: { 'net.core.somaxconn': '1' } }))
    assert.equal(linux.sysctl, undefined)
  })

  for (const sysctl of [
    'kernel.panic',
    'vm.swappiness',
    'net.',
    'net.ipv4...foo',
    'fs.mqueue/../x',
    'kernel/../x',
  ]) {
    it(`refuses the sysctl ${sysctl}, which would change the host`, () => {
      assert.throws(() => buildSpec(input({ sysctls: { [sysctl]: '1' } })), {
        message: `sysctl "${sysctl}" is not in a separate kernel namespace`,
      })
    })
  }

  it('refuses sysctls of namespaces that are shared with the host', () => {
    const { namespaces } = input()
    for (const [sysctl, shared] of [
      ['net.core.somaxconn', { network: 'host' }],
      ['kernel.shmmax', { ipc: 'host' }],
      ['kernel.domainname', { uts: 'host' }],
    ] as const) {
      const given = input({ sysctls: { [sysctl]: '1' }, namespaces: { ...namespaces, ...shared } })
      assert.throws(
        () => buildSpec(given),
        (error) => isKind(error, 'invalid_argument'),
      )
    }
  })

  it('keeps a profile that was asked for on a privileged container', () => {
    const seccomp = '{"defaultAction":"SCMP_ACT_ALLOW"}'
    const { linux } = buildSpec(input({ security: { ...plain, privileged: true, seccomp } }))
    assert.equal(linux.seccomp?.defaultAction, 'SCMP_ACT_ALLOW')
  })

  it('takes empty lists of hidden paths as they are', () => {
    const { linux } = buildSpec(input({ security: { ...plain, maskedPaths: [], readonlyPaths: [] } }))
    assert.deepEqual([linux.maskedPaths, linux.readonlyPaths], [[], []])
  })

  it('replaces everything below /dev when the container brings its own /dev', () => {
    const mounts = [{ type: 'bind', source: '/dev', destination: '/dev', options: ['rbind'] }] as const
    const destinations = buildSpec(input({ mounts })).mounts.map((mount) => mount.destination)
    assert.deepEqual(destinations, ['/proc', '/sys', '/sys/fs/cgroup', '/dev'])
  })
})

describe('buildExecProcess()', () => {
  it('gives a privileged exec every capability of the machine', () => {
    const process = buildExecProcess({ ...input(), security: { ...plain, privileged: true } })
    assert.deepEqual(process.capabilities.effective, kernelCapabilities)
  })

  it('adds HOME only when the environment has none', () => {
    const home = (env: readonly string[]) => buildExecProcess({ ...input(), env }).env
    assert.deepEqual(home(['A=b']), ['A=b', 'HOME=/root'])
    assert.deepEqual(home(['HOME=/x']), ['HOME=/x'])
  })

  it('refuses what would end at a NUL byte', () => {
    const hidden = (changes: Partial<SpecInput>, what: string): void => {
      const message = `${what} must not contain a NUL byte`
      assert.throws(() => buildExecProcess(input(changes)), { code: 'PROCESS_INVALID', message })
    }
    hidden({ args: ['sh', '-c', 'echo a\0; exit 3'] }, 'an argument of the process')
    hidden({ env: ['A=b\0c'] }, 'an environment variable')
    hidden({ cwd: '/a\0b' }, 'the working directory')
  })

  it('leaves the console size out without a terminal', () => {
    assert.equal(
      buildExecProcess({ ...input(), consoleSize: { rows: 1, columns: 1 } }).consoleSize,
      undefined,
    )
  })
})

describe('hostile images and known holes', () => {
  it('CVE-2022-24769: inheritable and ambient capabilities are empty for root and others, in run and exec', () => {
    for (const uid of [0, 1000]) {
      for (const privileged of [true, false]) {
        const given = input({ user: { ...input().user, uid }, security: { ...plain, privileged } })
        for (const { capabilities } of [buildSpec(given).process, buildExecProcess(given)]) {
          assert.deepEqual([capabilities.inheritable, capabilities.ambient], [[], []])
        }
      }
    }
  })

  it('CVE-2026-94603: only annotations of the input reach the spec, none by default', () => {
    assert.equal('annotations' in buildSpec(input()), false)
    assert.deepEqual(buildSpec(input({ annotations: { a: 'b' } })).annotations, { a: 'b' })
  })

  it('CVE-2023-25809: the cgroup mount is read-only unless the container is privileged or asks for it', () => {
    for (const cgroup of ['private', 'host']) {
      const given = input({ namespaces: { ...input().namespaces, cgroup } })
      const mount = buildSpec(given).mounts.find(({ destination }) => destination === '/sys/fs/cgroup')
      assert.ok(mount?.options.includes('ro'))
    }
    for (const [privileged, writableCgroups, readOnly] of [
      [true, undefined, false],
      [true, false, true],
      [false, true, false],
    ] as const) {
      const security = { ...input().security, privileged, writableCgroups }
      const { mounts } = buildSpec(input({ security }))
      const cgroup = mounts.find(({ destination }) => destination === '/sys/fs/cgroup')
      assert.equal(cgroup?.options.includes('ro'), readOnly)
    }
  })

  it('GHSA-jq35-85cj-fj4p, GHSA-6fw5-f8r9-fgfm: power, interrupt and thermal side channels are masked', () => {
    const { maskedPaths } = buildSpec(input()).linux
    for (const path of [
      '/sys/devices/virtual/powercap',
      '/proc/interrupts',
      '/sys/devices/system/cpu/cpu0/thermal_throttle',
    ]) {
      assert.ok(maskedPaths.includes(path), path)
    }
  })

  it('denies /dev/fuse (10:229) by default', () => {
    const rules = buildSpec(input()).linux.resources.devices ?? []
    assert.deepEqual(rules[0], { allow: false, access: 'rwm' })
    assert.ok(!rules.some(({ allow, major }) => allow && (major === undefined || major === 10)))
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ContainerConfig, HostConfig, Resources } from '#api/generated/types.ts'
import { isKind } from '#base/errors.ts'
import { kernelCapabilities } from '#runtime/capabilities.ts'
import type { CgroupFeatures } from '#runtime/machine.ts'
import { fakeMachineFacts } from '#test/support/engine.ts'
import { completeHostConfig } from './defaults.ts'
import { checkResources } from './resource-limits.ts'
import { parseSecurityOptions } from './security-options.ts'
import { updateHostConfig } from './update.ts'
import { validateCreate } from './validate.ts'

const MiB = 1024 * 1024

const { cgroups } = fakeMachineFacts
const machine = {
  cpus: 4,
  cgroups,
  capabilities: kernelCapabilities.filter((name) => name !== 'CAP_SYS_RESOURCE'),
  hardLimits: { nofile: 20_000 },
  runtimes: ['runc', 'crun'],
}
const create = (hostConfig: HostConfig, config: ContainerConfig = {}) =>
  validateCreate(config, completeHostConfig(hostConfig, { machine: { cgroupVersion: 'v2' } }), machine)

describe('validateCreate()', () => {
  it('takes a body that says nothing', () => assert.deepEqual(create({}).warnings, []))

  const refused: readonly (readonly [HostConfig, string, ContainerConfig?])[] = [
    [
      { AutoRemove: true, RestartPolicy: { Name: 'always' } },
      "can't create 'AutoRemove' container with restart policy",
    ],
    [
      { RestartPolicy: { Name: 'always', MaximumRetryCount: 2 } },
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    ],
    [
      { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: -1 } },
      'invalid restart policy: maximum retry count cannot be negative',
    ],
    [
      { RestartPolicy: { Name: 'sometimes' as 'no' } },
      "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    ],
    [{ Memory: 6 * MiB - 1 }, 'Minimum memory limit allowed is 6MB'],
    [
      { Memory: 20 * MiB, MemorySwap: 10 * MiB },
      'Minimum memoryswap limit should be larger than memory limit, see usage',
    ],
    [
      { MemorySwap: 10 * MiB },
      'You should always set the Memory limit when using Memoryswap limit, see usage',
    ],
    [{ MemorySwappiness: 101 }, 'Invalid value: 101, valid memory swappiness range is 0-100'],
    [{ MemoryReservation: MiB }, 'Minimum memory reservation allowed is 6MB'],
    [
      { Memory: 10 * MiB, MemoryReservation: 20 * MiB },
      'Minimum memory limit can not be less than memory reservation limit, see usage',
    ],
    [{ NanoCpus: 4_000_000_001 }, 'range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available'],
    [{ NanoCpus: -1 }, 'range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available'],
    [{ NanoCpus: 1e9, CpuPeriod: 1000 }, 'Conflicting options: Nano CPUs and CPU Period cannot both be set'],
    [{ NanoCpus: 1e9, CpuQuota: 1000 }, 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'],
    [
      { CpuPeriod: 1 },
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    ],
    [{ CpuQuota: 1 }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
    [{ CpuShares: -1 }, 'invalid CPU shares (-1): value must be a positive integer'],
    [{ CpusetCpus: '0-7' }, 'Requested CPUs are not available - requested 0-7, available: 0-3'],
    [{ CpusetCpus: 'x' }, 'Invalid value x for cpuset cpus: invalid format: x'],
    [{ CpusetMems: '1' }, 'Requested memory nodes are not available - requested 1, available: 0'],
    [{ BlkioWeight: 5 }, 'Range of blkio weight is from 10 to 1000'],
    [{ IOMaximumIOps: 1 }, 'invalid option: QoS maximum IOPs configuration is not supported on linux'],
    [{ CapAdd: ['FLY'] }, 'invalid CapAdd: unknown capability: "CAP_FLY"'],
    [{ CapDrop: ['CAP_X'] }, 'invalid CapDrop: unknown capability: "CAP_X"'],
    [
      { CapAdd: ['SYS_RESOURCE'] },
      'invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE"',
    ],
    [{ IpcMode: 'odd' }, 'invalid IPC mode: odd'],
    [{ PidMode: 'container:' }, 'invalid PID mode: container:'],
    [{ UTSMode: 'container:x' }, 'invalid UTS mode: container:x'],
    [{ CgroupnsMode: 'x' as 'host' }, 'invalid cgroup namespace mode: x'],
    [{ UsernsMode: 'x' }, 'invalid user namespace mode: x'],
    [{ NetworkMode: 'container:' }, 'invalid network mode: invalid container format container:<name|id>'],
    [{ OomScoreAdj: 1001 }, 'Invalid value 1001, range for oom score adj is [-1000, 1000]'],
    [{ ShmSize: -1 }, 'SHM size can not be less than 0'],
    [{ Runtime: 'kata' }, 'unknown or invalid runtime name: kata'],
    [
      { Annotations: { '': 'x' } },
      'invalid Annotations: the empty string is not permitted as an annotation key',
    ],
    [{ ExtraHosts: ['web'] }, 'bad format for add-host: "web"'],
    [{ ExtraHosts: ['web:1.2.3'] }, 'invalid IP address in add-host: "1.2.3"'],
    [{ ExtraHosts: ['web:1.2.3.4\nroot:::1'] }, 'bad format for add-host: "web:1.2.3.4\\nroot:::1"'],
    [{ Dns: ['8.8.8.8\noptions'] }, 'invalid IP address: 8.8.8.8\noptions'],
    [{ DeviceCgroupRules: ['c 1 r'] }, "invalid device cgroup rule format: 'c 1 r'"],
    [
      { Devices: [{ PathOnHost: '/dev/x', CgroupPermissions: 'rx' }] },
      'invalid device cgroup permissions "rx" for /dev/x',
    ],
    [
      { DeviceRequests: [{ Capabilities: [['gpu']] }] },
      'could not select device driver "" with capabilities: [[gpu]]',
    ],
    [{ Ulimits: [{ Name: 'x', Soft: 1, Hard: 1 }] }, 'invalid ulimit type: x'],
    [
      { Ulimits: [{ Name: 'nofile', Soft: 2, Hard: 1 }] },
      'ulimit soft limit must be less than or equal to hard limit: 2 > 1',
    ],
    [{ SecurityOpt: ['odd'] }, 'invalid --security-opt 1: "odd"'],
    [{ SecurityOpt: ['odd=1'] }, 'invalid --security-opt 2: "odd=1"'],
    [{ SecurityOpt: ['writable-cgroups=1'] }, 'invalid --security-opt 2: "writable-cgroups=1"'],
    [
      { SecurityOpt: ['writable-cgroups'], CgroupnsMode: 'host' },
      'writable-cgroups needs a cgroup namespace of the container: --cgroupns private',
    ],
    [{ PortBindings: { '99999/tcp': [] } }, 'invalid port specification: "99999"'],
    [{ NetworkMode: 'container:a', Dns: ['1.1.1.1'] }, 'conflicting options: dns and the network mode'],
    [
      { NetworkMode: 'container:a', PortBindings: { '80/tcp': [] } },
      'conflicting options: port publishing and the container type network mode',
    ],
    [
      { NetworkMode: 'host', Links: ['a:b'] },
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    ],
    [{ UTSMode: 'host' }, 'conflicting options: hostname and the UTS mode', { Hostname: 'x' }],
    [{}, "the working directory 'a/b' is invalid, it needs to be an absolute path", { WorkingDir: 'a/b' }],
    [{}, 'invalid signal: SIGFOO', { StopSignal: 'SIGFOO' }],
    [{}, 'invalid environment variable: =x', { Env: ['A=b', '=x'] }],
    [{}, `invalid hostname "${'h'.repeat(65)}": longer than 64 bytes`, { Hostname: 'h'.repeat(65) }],
    [{}, 'Interval in Healthcheck cannot be less than 1ms', { Healthcheck: { Interval: 5 } }],
    [{}, 'Retries in Healthcheck cannot be negative', { Healthcheck: { Retries: -1 } }],
  ]
  for (const [hostConfig, message, config] of refused) {
    it(`says ${JSON.stringify(message)}`, () => {
      assert.throws(
        () => create(hostConfig, config),
        (error) => isKind(error, 'invalid_argument') && (error as Error).message === message,
      )
    })
  }

  it('warns of a ulimit that has to be lowered', () => {
    const { warnings } = create({ Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 524_288 }] })
    assert.deepEqual(warnings, ['ulimit nofile: 524288 is more than this machine allows; using 20000'])
  })

  it('warns that ports on the network of the host are not published', () => {
    const { warnings } = create({ NetworkMode: 'host', PortBindings: { '80/tcp': [] } })
    assert.deepEqual(warnings, ['Published ports are discarded when using host network mode'])
  })
})

describe('checkResources()', () => {
  const none = Object.fromEntries(
    Object.entries(cgroups).map(([key, value]) => [key, value === true ? false : value]),
  ) as unknown as CgroupFeatures
  const without = (resources: Resources) => checkResources(resources, { cpus: 4, cgroups: none })

  it('takes out what the machine cannot do, with a warning', () => {
    const { resources, warnings } = without({ PidsLimit: 5, CpuShares: 5, CpusetCpus: '0', BlkioWeight: 5 })
    assert.deepEqual(resources, {
      PidsLimit: null,
      CpuShares: 0,
      CpusetCpus: '',
      CpusetMems: '',
      BlkioWeight: 0,
    })
    assert.equal(warnings.length, 4)
  })

  it('limits memory without swap where swap is not accounted', () => {
    const { resources, warnings } = checkResources(
      { Memory: 10 * MiB, MemorySwap: 20 * MiB },
      { cpus: 4, cgroups: { ...cgroups, swapLimit: false } },
    )
    assert.deepEqual(resources, { Memory: 10 * MiB, MemorySwap: -1 })
    assert.match(warnings.join(), /Memory limited without swap/)
  })

  it('does not warn of what was not asked for', () => assert.deepEqual(without({}).warnings, []))

  it('warns of an OOM killer that is off without a limit', () => {
    const { warnings } = checkResources({ OomKillDisable: true }, { cpus: 4, cgroups })
    assert.match(warnings.join(), /OOM killer is disabled for the container, but no memory limit is set/)
  })

  it('takes swappiness -1 as not set', () => {
    const { resources } = checkResources({ MemorySwappiness: -1 }, { cpus: 4, cgroups })
    assert.equal(resources.MemorySwappiness, null)
  })
})

describe('updateHostConfig()', () => {
  const current = completeHostConfig({ Memory: 100 * MiB }, { machine: { cgroupVersion: 'v2' } })
  const update = (body: Parameters<typeof updateHostConfig>[1], on: HostConfig = current) =>
    updateHostConfig(on, body, { cpus: 4, cgroups }).hostConfig

  it('changes what is said and keeps the rest', () => {
    const changed = update({ NanoCpus: 1e9, Memory: 0, PidsLimit: 10, CpusetCpus: '' })
    assert.deepEqual(changed, { ...current, NanoCpus: 1e9, PidsLimit: 10 })
  })

  it('takes the limit of processes away with 0 and keeps it with null', () => {
    const limited = update({ PidsLimit: 10 })
    for (const none of [0, -1, -2]) assert.equal(update({ PidsLimit: none }, limited).PidsLimit, 0)
    assert.equal(update({ PidsLimit: null }, limited).PidsLimit, 10)
  })

  it('changes the restart policy', () => {
    const { RestartPolicy } = update({ RestartPolicy: { Name: 'always' } })
    assert.deepEqual(RestartPolicy, { Name: 'always', MaximumRetryCount: 0 })
    assert.deepEqual(update({ RestartPolicy: { Name: '' } }).RestartPolicy, current.RestartPolicy)
  })

  const refused: readonly (readonly [Parameters<typeof updateHostConfig>[1], HostConfig, string])[] = [
    [
      { Memory: 300 * MiB },
      current,
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    ],
    [
      { MemorySwap: 50 * MiB },
      current,
      'Minimum memoryswap limit should be larger than memory limit, see usage',
    ],
    [
      { NanoCpus: 1e9 },
      { ...current, CpuPeriod: 1000 },
      'Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set',
    ],
    [
      { CpuQuota: 5000 },
      { ...current, NanoCpus: 1e9 },
      'Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set',
    ],
    [
      { RestartPolicy: { Name: 'always' } },
      { ...current, AutoRemove: true },
      'Restart policy cannot be updated because AutoRemove is enabled for the container',
    ],
  ]
  for (const [body, on, message] of refused) {
    it(`says ${JSON.stringify(message)}`, () => assert.throws(() => update(body, on), { message }))
  }
})

describe('parseSecurityOptions()', () => {
  it('reads what is known', () => {
    assert.deepEqual(parseSecurityOptions(['no-new-privileges', 'seccomp={"a":"b=c"}', 'label=disable']), {
      noNewPrivileges: true,
      seccomp: '{"a":"b=c"}',
      labels: ['disable'],
    })
    assert.equal(parseSecurityOptions(['no-new-privileges:false']).noNewPrivileges, false)
    assert.equal(parseSecurityOptions(['seccomp=builtin']).seccomp, 'default')
    assert.equal(parseSecurityOptions(['seccomp:unconfined']).seccomp, 'unconfined')
    assert.equal(parseSecurityOptions([]).seccomp, 'default')
  })

  it('refuses a value that is no boolean', () => {
    assert.throws(() => parseSecurityOptions(['no-new-privileges=maybe']), /invalid --security-opt 2/)
  })
})

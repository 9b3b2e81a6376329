import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunStep } from '#build/graph/operations.ts'
import type { Machine } from '#runtime/machine.ts'
import { type SpecInput, buildSpec } from '#runtime/spec.ts'
import { completeHostConfig } from '../../containers/config/defaults.ts'
import { specInput } from '../../containers/spec-input.ts'
import { stepHostConfig, stepSpec } from './step-spec.ts'
import { runStep } from './step.fixture.ts'

const machine: Machine = {
  cgroupVersion: 'v2',
  cpus: 4,
  hardLimits: {},
  capabilities: ['CAP_CHOWN', 'CAP_SYS_ADMIN', 'CAP_NET_RAW'],
  timeNamespaces: true,
  thermalThrottlePaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
  architecture: 'amd64',
  kernel: '6.18.0',
  minOomScoreAdj: -1000,
  cgroups: {
    memoryLimit: true,
    swapLimit: true,
    memoryReservation: true,
    memorySwappiness: true,
    oomKillDisable: true,
    cpuShares: true,
    cpuCfs: true,
    cpuset: true,
    pidsLimit: true,
    blkioWeight: true,
    blkioThrottle: true,
    cpusetCpus: '0-3',
    cpusetMems: '0',
  },
  hybridControllers: [],
}

const context = {
  id: 'a'.repeat(64),
  machine,
  user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
  mounts: [],
  devices: [],
  cgroupsPath: '/berth/x',
  env: [],
  withoutIpv6: [],
}

function inputOf(changes: Partial<RunStep>, env: readonly string[] = []): SpecInput {
  const step = runStep(changes)
  return stepSpec(step, { ...context, env, hostConfig: stepHostConfig(step, machine) })
}

/** What `run` makes of the same process. */
function ofRun(hostConfig: object): SpecInput {
  const complete = completeHostConfig(hostConfig, { machine })
  const config = { WorkingDir: '/', Env: ['PATH=/usr/bin:/bin'] }
  const container = { id: context.id, path: '/bin/sh', args: ['-c', 'make'], config, hostConfig: complete }
  const input = specInput(container, {
    ...context,
    hostname: 'buildkitsandbox',
    pidOf: () => 0,
    deviceNumber: () => ({ major: 0, minor: 0 }),
  })
  return { ...input, env: ['PATH=/usr/bin:/bin'] }
}

describe('the spec of a step', () => {
  it('GHSA-7236-3392-c5c6: is that of a container that run starts, on every network', () => {
    for (const [network, mode] of [
      ['default', 'bridge'],
      ['none', 'none'],
      ['host', 'host'],
    ] as const) {
      assert.deepEqual(buildSpec(inputOf({ network })), buildSpec(ofRun({ NetworkMode: mode })), network)
    }
  })

  it('CVE-2024-23653: is privileged for security=insecure, and for nothing else', () => {
    assert.deepEqual(buildSpec(inputOf({ security: 'insecure' })), buildSpec(ofRun({ Privileged: true })))
    assert.notDeepEqual(buildSpec(inputOf({})), buildSpec(ofRun({ Privileged: true })))
  })

  it('has the limits of the request', () => {
    const limits = {
      memory: 64 << 20,
      memorySwap: -1,
      cpuShares: 512,
      cpuPeriod: 100_000,
      cpuQuota: 50_000,
      cpusetCpus: '0',
      cpusetMems: '0',
      shmSize: 1 << 20,
      ulimits: [{ name: 'nofile', soft: 10, hard: 20 }],
    }
    const asked = {
      NetworkMode: 'bridge',
      Memory: 64 << 20,
      MemorySwap: -1,
      CpuShares: 512,
      CpuPeriod: 100_000,
      CpuQuota: 50_000,
      CpusetCpus: '0',
      CpusetMems: '0',
      ShmSize: 1 << 20,
      Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }],
    }
    assert.deepEqual(buildSpec(inputOf({ limits })), buildSpec(ofRun(asked)))
    const step = runStep({ limits: { cgroupParent: '/mine' } })
    assert.equal(stepHostConfig(step, machine).CgroupParent, '/mine')
    assert.throws(() => stepHostConfig(runStep({ limits: { memory: 1 } }), machine), /Minimum memory limit/)
  })

  it('has the environment of the stage, then secrets; proxies come first, so that ENV wins', () => {
    const { env } = inputOf({ proxyEnv: ['http_proxy=a', 'PATH=/p'], env: ['PATH=/bin', 'A=1', 'A=2'] }, [
      'B=3',
    ])
    assert.deepEqual(env, ['http_proxy=a', 'PATH=/bin', 'A=2', 'B=3'])
  })
})

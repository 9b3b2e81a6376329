import assert from 'node:assert/strict'
import { mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { ociArchitecture, parseCpuList, readMachine } from './machine.ts'

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            1024                 20000                files     
Max locked memory         8388608              8388608              bytes     
Max nice priority         0                    0                    
`
const NO_SYS_RESOURCE = 'CapPrm:\t000001fffeffffff\nCapBnd:\t000001fffeffffff\n'
const EVERYTHING = 'CapPrm:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n'

async function machineOf(files: Readonly<Record<string, string>>, options: object = {}) {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-machine-'))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory.path, path)), { recursive: true })
    await writeFile(join(directory.path, path), text)
  }
  return await readMachine({ root: directory.path, architecture: 'amd64', ...options })
}

describe('readMachine()', () => {
  it('reads a hybrid v1 machine without CAP_SYS_RESOURCE', async () => {
    const machine = await machineOf({
      'proc/self/limits': LIMITS,
      'proc/self/status': NO_SYS_RESOURCE,
      'proc/self/oom_score_adj': '100\n',
      'proc/self/ns/time': '',
      'proc/sys/kernel/osrelease': '6.18.0\n',
      'sys/devices/system/cpu/online': '0-3\n',
      'sys/devices/system/cpu/cpu10/thermal_throttle/x': '',
      'sys/devices/system/cpu/cpu2/thermal_throttle/x': '',
      'sys/devices/system/cpu/cpufreq/thermal_throttle': '',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '',
      'sys/fs/cgroup/cpuset/cpuset.cpus': '0-3\n',
      'sys/fs/cgroup/unified/cgroup.controllers': 'hugetlb\n',
    })
    assert.equal(machine.cgroupVersion, 'v1')
    assert.equal(machine.cpus, 4)
    assert.deepEqual(machine.hardLimits, { memlock: 8_388_608, nice: 0, nofile: 20_000 })
    assert.ok(!machine.capabilities.includes('CAP_SYS_RESOURCE'))
    assert.equal(machine.capabilities.length, 40)
    assert.equal(machine.minOomScoreAdj, 100)
    assert.equal(machine.timeNamespaces, false)
    assert.equal(machine.kernel, '6.18.0')
    assert.deepEqual(machine.thermalThrottlePaths, [
      '/sys/devices/system/cpu/cpu2/thermal_throttle',
      '/sys/devices/system/cpu/cpu10/thermal_throttle',
    ])
    assert.deepEqual(machine.hybridControllers, ['hugetlb'])
    assert.equal(machine.cgroups.memoryLimit, true)
    assert.equal(machine.cgroups.swapLimit, false)
    assert.equal(machine.cgroups.cpusetCpus, '0-3')
  })

  it('reads a v2 machine with everything', async () => {
    const machine = await machineOf(
      {
        'proc/self/limits': LIMITS,
        'proc/self/status': EVERYTHING,
        'proc/self/ns/time': '',
        'proc/sys/fs/nr_open': '1048576\n',
        'sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
        'sys/fs/cgroup/cpuset.cpus.effective': '0-7\n',
      },
      { timeNamespaces: true },
    )
    assert.equal(machine.cgroupVersion, 'v2')
    assert.deepEqual(machine.hardLimits, { nofile: 1_048_576 })
    assert.equal(machine.minOomScoreAdj, -1000)
    assert.equal(machine.timeNamespaces, true)
    assert.equal(machine.cgroups.oomKillDisable, false)
    assert.equal(machine.cgroups.cpusetCpus, '0-7')
    assert.deepEqual(machine.hybridControllers, [])
  })
})

describe('parseCpuList()', () => {
  it('reads numbers and ranges', () => {
    assert.deepEqual([...(parseCpuList('0-2,7\n') ?? [])], [0, 1, 2, 7])
  })

  it('is undefined for what is no list', () => {
    for (const text of ['', 'a', '3-1', '1,,2', '-1', '0-999999999'])
      assert.equal(parseCpuList(text), undefined)
  })
})

describe('ociArchitecture()', () => {
  it('translates the names that differ', () => {
    assert.deepEqual(['x64', 'arm64', 'ia32'].map(ociArchitecture), ['amd64', 'arm64', '386'])
  })
})

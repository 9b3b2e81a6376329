import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  parseCpuV1,
  parseCpuV2,
  parseIoV1,
  parseIoV2,
  parseMemoryV1,
  parseMemoryV2,
  parseProcessCgroups,
} from './parse.ts'

describe('cgroup v2 files', () => {
  it('cpu.stat is in microseconds', () => {
    const stat =
      'usage_usec 9007199254740993\nuser_usec 2000\nsystem_usec 1000\nnice_usec 0\nnr_periods 7\nnr_throttled 3\nthrottled_usec 5\nnr_bursts 0\nburst_usec 0\n'
    assert.deepEqual(parseCpuV2(stat), {
      total: 9007199254740993000n,
      kernel: 1_000_000,
      user: 2_000_000,
      perCpu: undefined,
      periods: 7,
      throttledPeriods: 3,
      throttledTime: 5000,
    })
  })

  it('memory.max may say max', () => {
    const memory = parseMemoryV2({
      current: '4096\n',
      max: 'max\n',
      events: 'low 0\nhigh 0\nmax 4\noom 2\noom_kill 1\noom_group_kill 0\n',
      stat: 'anon 1\ninactive_file 2\n',
    })
    assert.deepEqual(
      { ...memory, stat: Object.fromEntries(memory.stat) },
      {
        usage: 4096,
        maxUsage: undefined,
        limit: undefined,
        failures: 2,
        stat: { anon: 1, inactive_file: 2 },
      },
    )
  })

  it('io.stat has one line per device, perhaps without numbers', () => {
    assert.deepEqual(
      parseIoV2('254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n7:1 \n').slice(0, 2),
      [
        { major: 254, minor: 0, op: 'read', value: 10 },
        { major: 254, minor: 0, op: 'write', value: 20 },
      ],
    )
    assert.deepEqual(parseIoV2(undefined), [])
  })
})

describe('cgroup v1 files', () => {
  it('cpuacct.stat is in ticks, the rest in nanoseconds', () => {
    assert.deepEqual(
      parseCpuV1({
        usage: '163581670678\n',
        perCpu: '63581670678 100000000000 \n',
        stat: 'user 24224\nsystem 13077\n',
        throttling: 'nr_periods 1\nnr_throttled 2\nthrottled_time 3\n',
      }),
      {
        total: 163581670678,
        kernel: 130_770_000_000,
        user: 242_240_000_000,
        perCpu: [63581670678, 100000000000],
        periods: 1,
        throttledPeriods: 2,
        throttledTime: 3,
      },
    )
  })

  it('a limit near 2^63 is none', () => {
    const files = { usage: '1\n', maxUsage: '2\n', failures: '3\n', stat: 'total_inactive_file 4\n' }
    assert.equal(parseMemoryV1({ ...files, limit: '9223372036854771712\n' }).limit, undefined)
    assert.equal(parseMemoryV1({ ...files, limit: '67108864\n' }).limit, 67108864)
  })

  it('blkio files end with a total', () => {
    const text = '8:0 Read 4096\n8:0 Write 0\n8:0 Sync 4096\n8:0 Total 4096\nTotal 4096\n'
    assert.deepEqual(
      parseIoV1(text).map(({ op, value }) => `${op} ${value}`),
      ['Read 4096', 'Write 0', 'Sync 4096', 'Total 4096'],
    )
  })
})

describe('parseProcessCgroups()', () => {
  it('gives a path per controller', () => {
    const paths = parseProcessCgroups('9:name=systemd:/\n4:memory:/a:b/c\n2:cpu,cpuacct:/x\n0::/u\n')
    assert.deepEqual(
      [...paths],
      [
        ['name=systemd', '/'],
        ['memory', '/a:b/c'],
        ['cpu', '/x'],
        ['cpuacct', '/x'],
        ['', '/u'],
      ],
    )
  })
})

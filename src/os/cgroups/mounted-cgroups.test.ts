import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { parseMountinfo } from '../proc/mountinfo.ts'
import { MountedCgroups } from './mounted-cgroups.ts'

const root = mkdtempSync(join(tmpdir(), 'berth-cgroups-'))
after(() => rmSync(root, { recursive: true }))

function files(entries: Record<string, string>): void {
  for (const [path, text] of Object.entries(entries)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

const mount = (point: string, type: string, options: string, inside = '/') =>
  `31 23 0:28 ${inside} ${point} rw,relatime - ${type} ${type} rw,${options}\n`

describe('MountedCgroups', () => {
  it('uses version 1 where its controllers are mounted, together or apart', () => {
    const cgroups = new MountedCgroups(
      parseMountinfo(
        mount('/c/cpu,cpuacct', 'cgroup', 'cpu,cpuacct') +
          mount('/c/memory', 'cgroup', 'memory') +
          mount('/c/unified', 'cgroup2', 'nsdelegate') +
          mount('/c/systemd', 'cgroup', 'name=systemd'),
      ),
    )
    assert.equal(cgroups.version, 'v1')
    assert.equal(cgroups.directory('/berth/abc'), '/c/memory/berth/abc')
  })

  it('uses version 2 otherwise, relative to what is mounted', () => {
    const cgroups = new MountedCgroups(
      parseMountinfo(
        mount('/sys/fs/cgroup', 'cgroup2', 'nsdelegate', '/docker/1') + mount('/h', 'cgroup', 'hugetlb'),
      ),
    )
    assert.equal(cgroups.version, 'v2')
    assert.equal(cgroups.directory('/berth/abc'), '/sys/fs/cgroup/berth/abc')
    assert.equal(cgroups.directory('/docker/1/abc'), '/sys/fs/cgroup/abc')
  })

  it('refuses the root group', () => {
    const cgroups = new MountedCgroups(parseMountinfo(mount(root, 'cgroup2', 'x')))
    for (const path of ['', '/', '//', '/a/..', 'relative']) {
      assert.throws(() => cgroups.at(path), /invalid cgroup path/, path)
    }
  })

  it('reads counters and processes of a group and those below; zero when it is gone', async () => {
    files({
      'v2/a/cpu.stat': 'usage_usec 5\n',
      'v2/a/memory.current': '100\n',
      'v2/a/memory.events': 'oom 1\noom_kill 2\n',
      'v2/a/pids.current': '3\n',
      'v2/a/pids.max': 'max\n',
      'v2/a/cgroup.procs': '1\n2\n',
      'v2/a/b/c/cgroup.procs': '3\n',
    })
    const cgroups = new MountedCgroups(parseMountinfo(mount(join(root, 'v2'), 'cgroup2', 'x')))
    const group = cgroups.at('/a')
    const { cpu, memory, pids } = group.counters()
    assert.deepEqual(
      [cpu.total, memory.usage, memory.limit, pids.current, pids.limit],
      [5000, 100, undefined, 3, undefined],
    )
    assert.deepEqual(await group.processes(), [1, 2, 3])
    assert.equal(group.oomKills(), 2)

    const gone = cgroups.at('/gone')
    assert.equal(gone.counters().memory.usage, 0)
    assert.deepEqual(await gone.processes(), [])
    await gone.freeze()
    await gone.kill()
  })
})

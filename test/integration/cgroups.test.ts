/** Freezing and killing real processes, in groups of our own on both versions as far as they are mounted here. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CgroupV1 } from '#os/cgroups/cgroup-v1.ts'
import { CgroupV2 } from '#os/cgroups/cgroup-v2.ts'
import type { Cgroup } from '#os/cgroups/cgroups.ts'
import { MountedCgroups, mountedCgroups } from '#os/cgroups/mounted-cgroups.ts'
import { parseMountinfo } from '#os/proc/mountinfo.ts'

const NAME = `/berth-test-${process.pid}`
const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'))
const unified = mounts.find(({ type }) => type === 'cgroup2')
const freezer = mounts.find(({ type, superOptions }) => type === 'cgroup' && superOptions.includes('freezer'))
const skip = process.getuid?.() !== 0 && 'needs root'

/** A shell that keeps forking, and its children. */
async function forker(directory: string) {
  const child = spawn(
    'sh',
    ['-c', 'echo $$ > "$0/cgroup.procs"; echo ready; while :; do sleep 0.01; done', directory],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await once(child.stdout, 'data')
  return child
}

async function freezesAndKills(group: Cgroup, directory: string): Promise<void> {
  mkdirSync(directory)
  try {
    const child = await forker(directory)
    const exited = once(child, 'exit')
    assert.ok((await group.processes()).includes(child.pid ?? -1))
    await group.freeze()
    const frozen = await group.processes()
    assert.deepEqual(await group.processes(), frozen)
    await group.thaw()
    await group.kill()
    assert.deepEqual(await group.processes(), [])
    assert.deepEqual(await exited, [null, 'SIGKILL'])
  } finally {
    rmdirSync(directory)
  }
}

describe('Cgroup', { skip }, () => {
  it('v2 freezes and kills', { skip: unified === undefined && 'no cgroup2 here' }, async () => {
    const directory = join(unified?.mountPoint ?? '', NAME)
    await freezesAndKills(new CgroupV2(directory), directory)
  })

  it('v1 freezes and kills', { skip: freezer === undefined && 'no v1 freezer here' }, async () => {
    const directory = join(freezer?.mountPoint ?? '', NAME)
    await freezesAndKills(new CgroupV1({ freezer: directory }), directory)
  })

  it('finds the group of a process and reads its counters', async () => {
    const cgroups = await mountedCgroups()
    const group = await cgroups.of(process.pid)
    const { cpu, memory } = group?.counters() ?? assert.fail('no group')
    assert.ok(cpu.total > 0)
    assert.ok(memory.stat.size > 0)
    assert.equal(await cgroups.of(2 ** 30), undefined)
  })

  it(
    'enforces what is written, as the kernel counts it',
    { skip: freezer === undefined && 'no v1 here' },
    () => {
      const group = new MountedCgroups(mounts).at(NAME)
      mkdirSync(group.directory)
      try {
        writeFileSync(join(group.directory, 'memory.limit_in_bytes'), String(64 << 20))
        assert.equal(group.counters().memory.limit, 64 << 20)
        assert.equal(group.oomKills(), 0)
      } finally {
        rmdirSync(group.directory)
      }
    },
  )
})

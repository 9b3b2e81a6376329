import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtempDisposable, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { readMachine } from '#runtime/machine.ts'
import type { Machine } from '#runtime/machine.ts'
import { selectRuntime } from '#runtime/select.ts'
import type { SelectedRuntime } from '#runtime/select.ts'
import { buildSpec } from '#runtime/spec.ts'
import type { SpecInput } from '#runtime/spec.ts'

const run = promisify(execFile)

describe('a spec from buildSpec(), run by the real runtime', () => {
  let machine: Machine
  let runtime: SelectedRuntime

  before(async () => {
    machine = await readMachine()
    runtime = await selectRuntime({
      hybridControllers: machine.hybridControllers,
      run: async ([file = '', ...args]) =>
        run(file, args).then(
          (output) => ({ code: 0, ...output }),
          (error: { code: number; stdout: string; stderr: string }) => error,
        ),
    })
  })

  function spec(args: readonly string[], changes: Partial<SpecInput> = {}): SpecInput {
    return {
      id: 'spec-test',
      hostname: 'box',
      domainname: 'example.org',
      args,
      env: ['PATH=/bin'],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
      tty: false,
      mounts: [],
      resources: { memory: 64 << 20, pidsLimit: 100, nanoCpus: 500_000_000 },
      security: { privileged: false, capAdd: [], capDrop: [], noNewPrivileges: false, seccomp: 'default' },
      namespaces: { pid: 'private', ipc: 'private', uts: 'private', cgroup: 'private', network: 'shim' },
      sysctls: { 'kernel.msgmax': '65536' },
      rlimits: [{ type: 'nofile', soft: 100, hard: 1e9 }],
      devices: [],
      readonlyRootfs: false,
      shmSize: 1 << 20,
      // One level, which the runtime removes.
      cgroupsPath: `/berth-spec-test-${process.pid}`,
      oomScoreAdj: 0,
      annotations: {},
      machine,
      ...changes,
    }
  }

  /** Runs a container to its end and gives what it printed. */
  async function runContainer(input: SpecInput, programs: readonly string[] = []): Promise<string> {
    await using bundle = await mkdtempDisposable(join(tmpdir(), 'berth-spec-'))
    const bin = join(bundle.path, 'rootfs', 'bin')
    await mkdir(bin, { recursive: true })
    await copyFile('/bin/busybox', join(bin, 'busybox'))
    for (const name of ['sh', 'id', 'grep', 'hostname', 'cat', 'mount', 'touch', 'ls']) {
      await symlink('busybox', join(bin, name))
    }
    for (const source of programs) {
      await run('musl-gcc', ['-static', '-no-pie', '-O1', '-o', join(bin, 'program'), source])
    }
    await writeFile(join(bundle.path, 'config.json'), JSON.stringify(buildSpec(input)))
    const { stdout } = await run('unshare', [
      '--net',
      runtime.path,
      '--root',
      join(bundle.path, 'state'),
      'run',
      '--bundle',
      bundle.path,
      `spec-test-${process.pid}`,
    ])
    return stdout
  }

  it('gives the default posture', async () => {
    const script = `hostname; cat /proc/sys/kernel/domainname /proc/sys/kernel/msgmax
      grep -e ^Cap -e ^Seccomp: -e ^NoNewPrivs /proc/self/status; ulimit -n; ls /sys/firmware
      touch /proc/sys/kernel/x 2>/dev/null || echo proc-sys-is-read-only`
    assert.equal(
      await runContainer(spec(['sh', '-c', script])),
      `box
example.org
65536
CapInh:\t0000000000000000
CapPrm:\t00000000a80425fb
CapEff:\t00000000a80425fb
CapBnd:\t00000000a80425fb
CapAmb:\t0000000000000000
NoNewPrivs:\t0
Seccomp:\t2
100
proc-sys-is-read-only
`,
    )
  })

  it('gives a user other than root no capability', async () => {
    const user = { uid: 1000, gid: 1000, additionalGids: [1000, 7], home: '/' }
    const output = await runContainer(spec(['sh', '-c', 'id; grep CapEff /proc/self/status'], { user }))
    assert.equal(output, 'uid=1000 gid=1000 groups=7,1000\nCapEff:\t0000000000000000\n')
  })

  it('CVE-2026-31431, CVE-2026-123876: no ABI reaches AF_ALG or AF_VSOCK', async (t) => {
    if (machine.architecture !== 'amd64') return t.skip('the program is for amd64')
    const source = join(import.meta.dirname, 'seccomp-filter.c')
    const lines = (await runContainer(spec(['/bin/program']), [source])).trim().split('\n')
    const notRefused = lines.filter((line) => !line.endsWith(' -1'))
    assert.equal(lines.length, 29)
    assert.deepEqual(notRefused, ['i386-socketcall -38', 'clone3 -38', 'unix 1', 'i386-unix 1'])
  })
})

import assert from 'node:assert/strict'
import { mkdir, mkdtempDisposable, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { systemClock } from '#base/clock.ts'
import { jsonLogger } from '#base/logger.ts'
import type { RunMount, RunStep } from '#build/graph/operations.ts'
import type { FileSource } from '#build/sources/file-source.ts'
import { FakeNetworks } from '#network/fake-networks.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { FakeTrees } from '#os/fake-trees.ts'
import type { Helper, RunResult } from '#os/helper.ts'
import type { TreeEntry } from '#os/tree.ts'
import { FakeShims } from '#runtime/fake-shims.ts'
import { readMachine } from '#runtime/machine.ts'
import { OciRuntime } from '#runtime/oci-runtime.ts'
import { SeccompFilters } from '#runtime/seccomp-filters.ts'
import { MemorySnapshots } from '#store/snapshots/memory-snapshots.ts'
import { diskDirectories } from '../../containers/directories.ts'
import { containerPaths } from '../../containers/paths.ts'
import { CacheMounts } from './cache-mounts.ts'
import { ShimSteps } from './shim-steps.ts'
import { runStep } from './step.fixture.ts'

/** Everything that a step can ask for. */
const FULL: Partial<RunStep> = {
  args: ['echo', 'hello'],
  scripts: [{ name: 'EOF', content: '#!/bin/sh\n' }],
  mounts: [
    ...(['shared', 'locked'] as const).map((sharing): RunMount => ({
      type: 'cache',
      id: sharing,
      target: `/${sharing}`,
      sharing,
      from: undefined,
      source: '/',
      readOnly: false,
      mode: 0o755,
      ...own(),
    })),
    ...[true, false].map((readOnly): RunMount => ({
      type: 'bind',
      from: { kind: 'context', name: 'context' },
      source: '/',
      target: `/src${readOnly}`,
      readOnly,
    })),
    { type: 'ssh', id: 'default', target: '/agent', required: true, mode: 0o600, ...own() },
    { type: 'secret', id: 's', target: undefined, env: 'S', required: true, mode: 0o400, ...own() },
    { type: 'tmpfs', target: '/t', size: 4096 },
  ],
}

function own(): { readonly uid: number; readonly gid: number } {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
}

/** Called before each effect of a step, with its name. */
type Effect = (name: string) => void

/** A machine of fakes; its root filesystems get a file `made` when they are mounted. */
async function machineWith(effect: Effect) {
  const directory = await mkdtempDisposable(join(tmpdir(), 'berth-steps-'))
  const execRoot = join(directory.path, 'run')
  const dataRoot = join(directory.path, 'data')
  const log: string[] = []
  const logger = jsonLogger((line) => log.push(line), 'warn')
  const memory = new MemorySnapshots()
  const trees = new FakeTrees()
  const shims = new FakeShims()
  const networks = new FakeNetworks()
  const mounts = new Set<string>()
  const sources = { open: 0 }
  const helper = {
    pid: process.pid,
    mountVolume: async (target: string) => {
      effect('mount')
      mounts.add(target)
    },
    unmount: async (target: string) => void mounts.delete(target),
    removeTree: async (path: string) => rm(path, { recursive: true, force: true }),
    run: async (): Promise<RunResult> => ({ code: 0, stdout: '', stderr: '' }),
  } as unknown as Helper
  const snapshots = effects(memory, ['prepare', 'ingest', 'view'], effect)
  const rooted = new Proxy(snapshots, {
    get: (target, key, receiver) => (key === 'root' ? rootOf : bound(target, key, receiver)),
  })
  async function rootOf(id: string) {
    effect('root')
    const upper = join(directory.path, 'upper', id)
    await mkdir(upper, { recursive: true })
    await writeFile(join(upper, 'made'), '')
    await trees.write({ directory: upper }, '/', entries())
    return { lower: ['/lower'], upper, work: `${upper}.work` }
  }
  const caches = new CacheMounts({ dataRoot, trees, helper, clock: systemClock, logger })
  const steps = new ShimSteps({
    helper,
    snapshots: rooted,
    trees: effects(trees, ['read'], effect),
    networks: effects(networks, ['lease'], effect),
    caches: effects(caches, ['acquire'], effect),
    machine: { ...(await readMachine()), timeNamespaces: false },
    runtime: new OciRuntime(helper, { binary: 'crun', root: join(execRoot, 'runtime') }),
    shims: effects(shims, ['spawn'], effect),
    remains: { end: async () => undefined },
    runtimes: {
      standard: {
        binary: 'crun',
        timeNamespaces: false,
        seccompFilters: new SeccompFilters(join(execRoot, 'seccomp'), { name: 'crun', version: '1' }),
      },
    },
    directories: effects(diskDirectories, ['make'], effect),
    paths: containerPaths(dataRoot, execRoot),
    execRoot,
    logger,
    clock: systemClock,
    cgroupParent: '/berth',
    cgroupDirectory: (path) => path,
    hostResolvConf: async () => ({ nameservers: [], search: [], options: [] }),
    hostGateways: () => ['172.17.0.1'],
  })
  const open = async (): Promise<FileSource> => {
    effect('open')
    sources.open++
    return {
      name: 'build context',
      find: async () => ({ attributes: { path: '', type: 'directory', mode: 0o755, ...own() } }),
      root: async () => ({ directory: '/host', path: '/host' }),
      [Symbol.asyncDispose]: async () => void sources.open--,
    } as unknown as FileSource
  }
  return {
    log,
    shims,
    memory,
    run: (signal: AbortSignal, step: Partial<RunStep> = FULL, output: string[] = []) =>
      steps.run(
        { step: runStep(step), layers: [], open, signal },
        {
          onOutput: (stream, data) => {
            effect('output')
            output.push(`${stream} ${Buffer.from(data).toString()}`)
          },
          secrets: {
            secret: async () => (effect('secret'), Buffer.from('value')),
            agent: async () => (effect('agent'), '/agent'),
          },
        },
      ),
    /** What is left after a step: nothing. */
    left: async () => ({
      running: [...steps.running],
      shims: [...shims.supervising, ...shims.running.map(({ id }) => id)],
      snapshots: await memory.snapshots(),
      leases: [...networks.leased.keys()],
      mounts: [...mounts],
      sources: sources.open,
      directories: await readdir(join(execRoot, 'c')).catch(() => []),
      caches: (await caches.list()).filter(({ inUse }) => inUse).map(({ id }) => id),
      log,
    }),
    [Symbol.asyncDispose]: () => directory.remove(),
  }
}

const NOTHING = {
  running: [],
  shims: [],
  snapshots: [],
  leases: [],
  mounts: [],
  sources: 0,
  directories: [],
  caches: [],
  log: [],
}

async function* entries(): AsyncGenerator<TreeEntry> {
  const mtime = { seconds: 1, nanoseconds: 0 }
  yield {
    record: { type: 'file', path: 'made', mode: 0o644, uid: 0, gid: 0, mtime, size: 0 },
    data: nothing(),
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function bound(target: object, key: string | symbol, receiver: unknown): unknown {
  const value: unknown = Reflect.get(target, key, target === receiver ? receiver : target)
  return typeof value === 'function' ? value.bind(target) : value
}

function effects<T extends object>(target: T, names: readonly (keyof T & string)[], effect: Effect): T {
  return new Proxy(target, {
    get(object, key, receiver) {
      const value = bound(object, key, receiver)
      if (!names.includes(key as keyof T & string) || typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        effect(String(key))
        return value(...args)
      }
    },
  })
}

async function ranSteps(): Promise<string[]> {
  const names: string[] = []
  await using machine = await machineWith((name) => void names.push(name))
  await machine.run(new AbortController().signal)
  return names
}

describe('ShimSteps', () => {
  it('gives output and layer, and leaves nothing else', async () => {
    await using machine = await machineWith(() => undefined)
    const output: string[] = []
    const { layer } = await machine.run(new AbortController().signal, FULL, output)
    assert.deepEqual(output, ['1 hello\n'])
    const found: string[] = []
    for await (const { entry } of readTar(machine.memory.tar(layer ?? 'sha256:none'))) found.push(entry.path)
    assert.deepEqual(found, ['made'])
    assert.deepEqual(await machine.left(), NOTHING)
  })

  it('leaves nothing when any of its effects fails', async () => {
    const names = await ranSteps()
    assert.ok(new Set(names).size > 12, names.join(' '))
    for (const [i, name] of names.entries()) {
      if (name === 'output') continue
      let count = 0
      await using machine = await machineWith(() => {
        if (count++ === i) throw new Error(`no ${name}`)
      })
      await assert.rejects(
        machine.run(new AbortController().signal),
        new RegExp(`no ${name}`),
        `${i} ${name}`,
      )
      assert.deepEqual(await machine.left(), NOTHING, `${i} ${name}`)
    }
  })

  it('leaves nothing when it is cancelled at any of them', async () => {
    const names = await ranSteps()
    for (const [i, name] of names.entries()) {
      const leaving = new AbortController()
      let count = 0
      await using machine = await machineWith(() => {
        if (count++ === i) leaving.abort(new Error(`left at ${name}`))
      })
      // One that sleeps would go on for ever.
      const step = { ...FULL, args: name === 'output' ? ['echo', 'hello'] : ['sleep', '1000'] }
      const late = name === 'read' || name === 'ingest'
      const ran = machine.run(leaving.signal, late ? FULL : step)
      await assert.rejects(ran, new RegExp(`left at ${name}`), `${i} ${name}`)
      assert.deepEqual(await machine.left(), NOTHING, `${i} ${name}`)
    }
  })

  it('leaves nothing of a process that fails, cannot be started or is lost', async () => {
    for (const [args, message] of [
      [['false'], /exit code: 1$/],
      [['nosuch'], /executable file not found/],
    ] as const) {
      await using machine = await machineWith(() => undefined)
      await assert.rejects(machine.run(new AbortController().signal, { ...FULL, args }), message)
      assert.deepEqual(await machine.left(), NOTHING)
    }
    await using machine = await machineWith(() => undefined)
    const running = machine.run(new AbortController().signal, { ...FULL, args: ['sleep', '1000'] })
    while (machine.shims.running.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const [init] = machine.shims.running
    init?.orphan()
    await assert.rejects(running, /its supervisor was killed/)
    init?.end(137)
    assert.deepEqual(await machine.left(), NOTHING)
  })
})

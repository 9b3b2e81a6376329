import assert from 'node:assert/strict'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import type { FileOrigin, RunMount } from '#build/graph/operations.ts'
import type { FileSource } from '#build/sources/file-source.ts'
import type { VolumeMount } from '#os/helper.ts'
import { type StepMounts, stepMounts } from './step-mounts.ts'
import { runStep } from './step.fixture.ts'

const CONTEXT: FileOrigin = { kind: 'context', name: 'context' }
const BIND = { type: 'bind', from: CONTEXT, source: '/', target: '/src', readOnly: true } as const

interface Options {
  readonly layers?: readonly Digest[]
  readonly found?: object | undefined
  readonly refuses?: EngineError
  readonly lower?: readonly string[]
  readonly agents?: Readonly<Record<string, string>>
}

/** What the mounts of a step come to, and what was done for them, in order. */
async function mountsOf(mounts: readonly RunMount[], options: Options = {}) {
  const done: string[] = []
  const {
    found = {
      path: '',
      type: 'directory',
      mode: 0o755,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
    },
  } = options
  await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-mounts-'))
  const source = {
    name: 'build context',
    layers: options.layers,
    find: async () => ('found' in options && options.found === undefined ? undefined : { attributes: found }),
    root: async () => ({ directory: '/host/dir', path: '/host/dir' }),
    [Symbol.asyncDispose]: async () => void done.push('close source'),
  } as unknown as FileSource
  const deps = {
    execRoot: '/run/berth',
    caches: {
      async acquire({ id }: { readonly id: string }) {
        done.push(`acquire ${id}`)
        return { path: `/caches/${id}/data`, [Symbol.asyncDispose]: async () => void done.push(`give ${id}`) }
      },
    },
    snapshots: {
      prepare: async (_id: string, layers: readonly Digest[]) => void done.push(`prepare ${layers.length}`),
      root: async () => ({ lower: options.lower ?? ['/l2', '/l1'], upper: directory.path, work: '/work' }),
      remove: async () => void done.push('remove snapshot'),
    },
    helper: {
      pid: 1,
      mountVolume: async (_target: string, { type, data }: VolumeMount) => {
        if (options.refuses !== undefined) throw options.refuses
        done.push(`mount ${type} ${data}`)
      },
      unmount: async () => void done.push('unmount'),
    },
    trees: {
      read: () => void done.push('read') as never,
      write: async () => void done.push('write'),
    },
  }
  const acquired = new AsyncDisposableStack()
  const secrets = { secret: async () => undefined, agent: async (id: string) => options.agents?.[id] }
  const step = runStep({ mounts })
  const ready = { step, layers: [], open: async () => source, signal: new AbortController().signal }
  let made: StepMounts
  try {
    const place = { id: 'step', runtime: directory.path, own: () => undefined }
    made = await stepMounts(ready, secrets, place, deps, acquired)
  } finally {
    done.push('—')
    await acquired.disposeAsync()
  }
  const pins = made.pins.map((pin) => ({ ...pin, destination: pin.destination.slice(directory.path.length) }))
  return { ...made, pins, done: done.map((text) => text.replaceAll(directory.path, '/upper')) }
}

describe('stepMounts()', () => {
  it('pins what a bind shows, and closes its source afterwards', async () => {
    const found = { path: 'real/dir', type: 'directory' }
    const { mounts, pins, done } = await mountsOf([{ ...BIND, source: 'link' }], { found })
    assert.deepEqual(pins, [{ source: '/host/dir', destination: '/pins/0', path: 'real/dir', alone: true }])
    assert.deepEqual(mounts[0]?.options, ['rbind', 'ro', 'rprivate'])
    assert.deepEqual(done, ['—', 'close source'])
  })

  it('puts a filesystem over what is to be written to', async () => {
    const { mounts, done } = await mountsOf([{ ...BIND, readOnly: false }])
    assert.deepEqual(mounts[0]?.options, ['rbind', 'rprivate'])
    const data =
      'lowerdir=/host/dir,upperdir=/upper,workdir=/work,redirect_dir=off,index=off,metacopy=off,xino=on,volatile'
    assert.deepEqual(done, [
      'prepare 0',
      `mount overlay ${data}`,
      '—',
      'unmount',
      'remove snapshot',
      'close source',
    ])
  })

  it('takes the layers themselves of what consists of some', async () => {
    const layers: Digest[] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`]
    const { done } = await mountsOf([{ ...BIND, readOnly: false }], { layers, lower: ['/l:2', '/l1'] })
    assert.equal(done[0], 'prepare 2')
    assert.match(done[1] ?? '', /lowerdir=\/l\\:2:\/l1,/)
  })

  it('copies what cannot be mounted', async () => {
    const refuses = new EngineError('internal', 'too deep', { code: 'SYSTEM_CALL_FAILED' })
    const refused = await mountsOf([{ ...BIND, readOnly: false }], { refuses })
    assert.deepEqual(refused.done, ['prepare 0', 'read', 'write', '—', 'remove snapshot', 'close source'])
    const lower = Array.from({ length: 100 }, (_, i) => `/run/berth/mnt/${'x'.repeat(64)}${i}`)
    const long = await mountsOf([{ ...BIND, readOnly: false }], {
      layers: [`sha256:${'a'.repeat(64)}`],
      lower,
    })
    assert.deepEqual(long.done.slice(0, 3), ['prepare 1', 'read', 'write'])
  })

  it('says what is not there', async () => {
    await assert.rejects(mountsOf([{ ...BIND, source: '/a/../../b' }], { found: undefined }), (error) => {
      assert.equal((error as Error).message, '"/b": not found in the build context')
      return true
    })
  })

  it('takes each cache once, in the same order as everybody', async () => {
    const cache = {
      type: 'cache',
      sharing: 'locked',
      from: undefined,
      source: '/',
      readOnly: false,
      mode: 0o755,
      uid: 0,
      gid: 0,
    } as const
    const caches = ['a', 'b', 'c', 'a'].map((id, i) => ({ ...cache, id, target: `/${i}` }))
    const one = await mountsOf(caches)
    const other = await mountsOf(caches.toReversed())
    const acquired = (done: readonly string[]): string[] => done.filter((text) => text.startsWith('acquire'))
    assert.equal(acquired(one.done).length, 3)
    assert.deepEqual(acquired(one.done), acquired(other.done))
    assert.deepEqual(
      one.mounts.map(({ source, destination }) => `${source} ${destination}`),
      ['/caches/a/data /0', '/caches/b/data /1', '/caches/c/data /2', '/caches/a/data /3'],
    )
  })

  it('names the first agent in the environment, if the client has it', async () => {
    const ssh = {
      type: 'ssh',
      required: false,
      mode: 0o600,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
    } as const
    const mounts = [
      { ...ssh, id: 'a', target: '/agent.0' },
      { ...ssh, id: 'b', target: '/agent.1' },
    ]
    assert.deepEqual((await mountsOf(mounts, { agents: { a: '/x', b: '/y' } })).env, [
      'SSH_AUTH_SOCK=/agent.0',
    ])
    const without = await mountsOf(mounts)
    assert.deepEqual([without.env, without.mounts], [[], []])
  })
})

import { chmod, chown } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { newId } from '#base/ids.ts'
import { isKind } from '#base/errors.ts'
import type { RunMount, RunStep } from '#build/graph/operations.ts'
import type { BindMount, Ready, Secrets } from '#build/solve/ports.ts'
import type { FileSource } from '#build/sources/file-source.ts'
import type { Helper } from '#os/helper.ts'
import type { Trees } from '#os/tree.ts'
import type { ShimPin } from '#runtime/shim.ts'
import type { SpecMount } from '#runtime/spec.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import { forwardSocket } from './agent-sockets.ts'
import { type CacheMount, type CacheMounts, type HeldCache, cacheKey } from './cache-mounts.ts'
import { noSuchAgent, noSuchMountSource } from './errors.ts'
import { stepSecrets } from './step-secrets.ts'

export interface StepMountsDeps {
  readonly caches: Pick<CacheMounts, 'acquire'>
  readonly snapshots: Pick<Snapshots, 'prepare' | 'root' | 'remove'>
  readonly trees: Pick<Trees, 'read' | 'write'>
  readonly helper: Pick<Helper, 'mountVolume' | 'unmount' | 'pid'>
  readonly execRoot: string
}

/** What the mounts of a step are for its spec and its shim. */
export interface StepMounts {
  readonly mounts: readonly SpecMount[]
  readonly pins: readonly ShimPin[]
  readonly env: readonly string[]
}

export interface StepPlace {
  readonly id: string
  /** The runtime directory. */
  readonly runtime: string
  /** Says that a snapshot with this id is the step's. */
  readonly own: (id: string, acquired: AsyncDisposableStack) => void
}

/** Waits for caches, opens sources, fetches secrets: all that `--mount` asks for. Given back with `acquired`, after the process. */
export async function stepMounts(
  ready: Ready<RunStep>,
  secrets: Secrets,
  place: StepPlace,
  deps: StepMountsDeps,
  acquired: AsyncDisposableStack,
): Promise<StepMounts> {
  const { mounts } = ready.step
  const collected = new Collected(join(place.runtime, 'pins'))
  const caches = await heldCaches(of(mounts, 'cache'), ready, deps, acquired)
  for (const mount of of(mounts, 'cache')) {
    const path = caches.get(cacheKey(mount))?.path ?? ''
    collected.bind(path, mount.target, mount.readOnly ? ['ro'] : [])
  }
  for (const mount of of(mounts, 'bind')) await bindMount(mount, ready, { collected, place, deps, acquired })
  const fetched = await stepSecrets(of(mounts, 'secret'), secrets, place.id, deps, acquired)
  for (const { source, target } of fetched.files) {
    collected.pin({ source, alone: true }, target, ['ro', 'nosuid', 'nodev', 'noexec'])
  }
  collected.env.push(...fetched.env)
  await agents(of(mounts, 'ssh'), secrets, place.runtime, collected, acquired)
  for (const { target, size } of of(mounts, 'tmpfs')) {
    const options = ['nosuid', ...(size === undefined ? [] : [`size=${size}`])]
    collected.mounts.push({ type: 'tmpfs', source: 'tmpfs', destination: target, options })
  }
  return collected
}

class Collected implements StepMounts {
  readonly mounts: SpecMount[] = []
  readonly pins: ShimPin[] = []
  readonly env: string[] = []
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Something that only this engine puts there. */
  bind(source: string, destination: string, more: readonly string[]): void {
    this.mounts.push({ type: 'bind', source, destination, options: ['rbind', ...more, 'rprivate'] })
  }

  /** Something that the shim is to hold on to before the runtime, which follows paths, is called. */
  pin(pin: Omit<ShimPin, 'destination'>, destination: string, more: readonly string[]): void {
    const pinned = join(this.#directory, String(this.pins.length))
    this.pins.push({ ...pin, destination: pinned })
    this.bind(pinned, destination, more)
  }
}

/** Each once, in the order of their keys: two steps that want the same ones never wait for each other. */
async function heldCaches(
  mounts: readonly CacheMount[],
  { open, signal }: Ready<RunStep>,
  { caches }: StepMountsDeps,
  acquired: AsyncDisposableStack,
): Promise<ReadonlyMap<string, HeldCache>> {
  const byKey = new Map(mounts.toReversed().map((mount) => [cacheKey(mount), mount]))
  const held = new Map<string, HeldCache>()
  for (const [key, mount] of [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    held.set(key, acquired.use(await caches.acquire(mount, open, signal)))
  }
  return held
}

interface Into {
  readonly collected: Collected
  readonly place: StepPlace
  readonly deps: StepMountsDeps
  readonly acquired: AsyncDisposableStack
}

/** No symlink is followed where the path is used: `find` has done so, and the shim refuses what leads out of the source. */
async function bindMount(mount: BindMount, { open }: Ready<RunStep>, into: Into): Promise<void> {
  const { collected, acquired } = into
  const source = acquired.use(await open(mount.from))
  const wanted = relative(mount.source)
  const found = await source.find(wanted)
  if (found === undefined) throw noSuchMountSource(wanted, source.name)
  const { path, type } = found.attributes
  if (mount.readOnly) {
    const root = await source.root()
    collected.pin({ source: root.path, alone: true, ...below(path) }, mount.target, ['ro'])
    return
  }
  const scratch = await scratchRoot(source, path, type === 'directory', into)
  collected.pin({ source: scratch.path, alone: true, ...below(scratch.below) }, mount.target, [])
}

interface Scratch {
  readonly path: string
  readonly below: string
}

/** The files of a source, to be written to: what is written is thrown away. */
async function scratchRoot(
  source: FileSource,
  path: string,
  isDirectory: boolean,
  { place, deps, acquired }: Into,
): Promise<Scratch> {
  const { snapshots, execRoot, helper } = deps
  const layers = source.layers ?? []
  const id = newId()
  place.own(id, acquired)
  await snapshots.prepare(id, layers)
  acquired.defer(() => snapshots.remove(id))
  const { lower, upper, work } = await snapshots.root(id, layers)
  const root = source.layers === undefined ? (await source.root()).path : undefined
  const data = overlayData(root === undefined ? lower : [root], upper, work)
  const target = join(execRoot, 'mnt', 'scratch', id)
  if (Buffer.byteLength(data) < PAGE) {
    try {
      await likeRoot(source, upper)
      await helper.mountVolume(target, { type: 'overlay', source: 'overlay', flags: 0, data })
      acquired.defer(() => helper.unmount(target))
      return { path: target, below: path }
    } catch (error) {
      // The kernel puts no more than two of such filesystems on top of each other.
      if (!isKind(error, 'internal')) throw error
    }
  }
  return copied(source, path, isDirectory, upper, deps)
}

/** mount(2) takes that much as options. */
const PAGE = 4096

async function copied(
  source: FileSource,
  path: string,
  isDirectory: boolean,
  upper: string,
  { trees }: StepMountsDeps,
): Promise<Scratch> {
  const name = isDirectory ? '' : 'file'
  const entries = trees.read(await source.root(), `/${path}`, { name })
  await trees.write({ directory: upper }, '/', entries, { sparse: true })
  return { path: upper, below: name }
}

/** An overlay's root has the attributes of its upper directory. */
async function likeRoot(source: FileSource, upper: string): Promise<void> {
  const root = await source.find('')
  if (root === undefined) return
  const { mode, uid, gid } = root.attributes
  await chown(upper, uid, gid)
  await chmod(upper, mode)
}

function overlayData(lower: readonly string[], upper: string, work: string): string {
  const escaped = (path: string): string => path.replace(/[\\:,]/g, '\\$&')
  const directories = [
    `lowerdir=${lower.map(escaped).join(':')}`,
    `upperdir=${escaped(upper)}`,
    `workdir=${escaped(work)}`,
  ]
  return [...directories, 'redirect_dir=off', 'index=off', 'metacopy=off', 'xino=on', 'volatile'].join(',')
}

async function agents(
  mounts: readonly Extract<RunMount, { type: 'ssh' }>[],
  secrets: Secrets,
  runtime: string,
  collected: Collected,
  acquired: AsyncDisposableStack,
): Promise<void> {
  for (const [i, mount] of mounts.entries()) {
    const agent = await secrets.agent(mount.id)
    if (agent === undefined) {
      if (mount.required) throw noSuchAgent(mount.id)
      continue
    }
    // As long as the name of the shim's own socket: a path of more than 107 bytes cannot be bound.
    const socket = join(runtime, `ag${i}`)
    acquired.use(await forwardSocket(socket, () => connect({ path: agent, allowHalfOpen: true }), mount))
    collected.bind(socket, mount.target, [])
    if (i === 0) collected.env.push(`SSH_AUTH_SOCK=${mount.target}`)
  }
}

function of<T extends RunMount['type']>(
  mounts: readonly RunMount[],
  type: T,
): readonly Extract<RunMount, { type: T }>[] {
  return mounts.filter((mount): mount is Extract<RunMount, { type: T }> => mount.type === type)
}

function below(path: string): Pick<ShimPin, 'path'> {
  return path === '' ? {} : { path }
}

/** Clean, and never above the root of the source. */
function relative(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts.join('/')
}

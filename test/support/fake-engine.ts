/**
 * The engine in memory, for tests of the HTTP edge: documents are complete, processes are played
 * (fake-container.ts), and `calls` records what the edge asked for.
 */
import type { ContainerWhy } from '#api/container-why.ts'
import type { ContainerInspectResponse, EventMessage } from '#api/generated/types.ts'
import { EngineError } from '#base/errors.ts'
import type { Engine } from '#engine/services.ts'
import { chunks } from './chunks.ts'
import { fakeBuilds } from './fake-builds.ts'
import { FakeContainers } from './fake-containers.ts'
import { FakeEvents } from './fake-events.ts'
import { fakeImages, fakeInfo, fakeNetworks, fakeVersion, fakeVolume } from './fake-documents.ts'

export interface Call {
  readonly name: string
  readonly args: readonly unknown[]
}

export class FakeEngine implements Engine {
  readonly calls: Call[] = []
  readonly bus = new FakeEvents()
  readonly containers = new FakeContainers((event) => this.bus.publish(event))
  readonly lifecycle: Engine['lifecycle']
  readonly query: Engine['query']
  readonly streams: Engine['streams']
  readonly files: Engine['files']
  readonly execs: Engine['execs']
  readonly images: Engine['images']
  readonly pulls: Engine['pulls']
  readonly pushes: Engine['pushes']
  readonly registries: Engine['registries']
  readonly events: Engine['events']
  readonly system: Engine['system']
  readonly volumes: Engine['volumes']
  readonly volumeTransfers: Engine['volumeTransfers']
  readonly networks: Engine['networks']
  readonly explanations: Engine['explanations']
  readonly why: Engine['why']
  readonly fsck: Engine['fsck']
  readonly builds: Engine['builds']

  constructor() {
    const { containers } = this
    this.lifecycle = this.#recording(containers.lifecycle)
    this.query = this.#recording(containers.query)
    this.streams = this.#recording(containers.streams)
    this.files = this.#recording(containers.files)
    this.execs = this.#recording(containers.execs)
    this.images = this.#recording(images)
    this.pulls = this.#recording(pulls)
    this.pushes = this.#recording(pushes)
    this.registries = this.#recording(registries)
    this.events = this.#recording({ subscribe: (options) => this.bus.subscribe(options) })
    this.system = this.#recording(system)
    this.volumes = this.#recording(volumes)
    this.volumeTransfers = this.#recording(volumeTransfers)
    this.networks = this.#recording(networks)
    this.explanations = this.#recording(explanations)
    this.why = this.#recording({
      why: async (ref: string) => whyOf(await containers.query.inspect(ref, { size: false })),
    })
    this.fsck = this.#recording(fsck)
    this.builds = this.#recording(fakeBuilds)
  }

  publish(event: EventMessage): void {
    this.bus.publish(event)
  }

  /** The arguments of the last call of that name. */
  lastCall(name: string): readonly unknown[] | undefined {
    return this.calls.findLast((call) => call.name === name)?.args
  }

  #recording<T extends object>(service: T): T {
    return new Proxy(service, {
      get: (target, name, receiver) => {
        const member: unknown = Reflect.get(target, name, receiver)
        if (typeof member !== 'function') return member
        return (...args: unknown[]): unknown => {
          this.calls.push({ name: String(name), args })
          return Reflect.apply(member, target, args)
        }
      },
    })
  }
}

function noSuchImage(name: string): EngineError {
  return new EngineError('not_found', `No such image: ${name}`, { code: 'IMAGE_NOT_FOUND' })
}

const images: Engine['images'] = {
  list: () => Promise.resolve([fakeImages.summary]),
  inspect: async (ref) => (known(ref), fakeImages.inspect),
  history: async (ref) => (known(ref), fakeImages.history),
  attestations: async (ref) => (known(ref), []),
  tag: async (ref) => known(ref),
  remove: async (ref) => (known(ref), [{ Untagged: ref }]),
  prune: () => Promise.resolve({ ImagesDeleted: [], SpaceReclaimed: 0 }),
  planPrune: () => Promise.resolve([{ Kind: 'name', ID: fakeImages.inspect.Id ?? '', Name: 'old:1' }]),
  planRemove: async (refs) =>
    refs.map((ref) => (known(ref), { Kind: 'name', ID: fakeImages.inspect.Id ?? '', Name: ref })),
  async *load(tar) {
    const size = await sizeOf(tar)
    if (size === 0) throw new EngineError('invalid_argument', 'empty archive', { code: 'ARCHIVE_INVALID' })
    yield { status: 'Loading layer', id: 'abc', progressDetail: { current: size, total: size } }
    if (size === 3) throw new EngineError('internal', 'unexpected end of archive', { code: 'ARCHIVE_SHORT' })
    yield { stream: 'Loaded image: demo:latest\n' }
  },
  save: async (refs) => (refs.forEach(known), chunks(['tar bytes'])),
  async *import(archive) {
    if (typeof archive === 'string') yield { status: `Downloading from ${archive}` }
    else await sizeOf(archive)
    yield { status: fakeImages.id }
  },
}

function known(ref: string): void {
  if (ref !== 'demo' && ref !== 'team/demo:1.0') throw noSuchImage(ref)
}

const pulls: Engine['pulls'] = {
  async *pull(from, { tag }) {
    if (from === 'private')
      throw new EngineError('unauthenticated', 'unauthorized: authentication required', {
        code: 'REGISTRY_UNAUTHENTICATED',
      })
    if (from !== 'demo') {
      throw new EngineError('not_found', `pull access denied for ${from}`, { code: 'REPOSITORY_NOT_FOUND' })
    }
    yield { status: 'Pulling from library/demo', id: tag ?? 'latest' }
    yield { status: 'Status: Downloaded newer image for demo:latest' }
  },
}

async function sizeOf(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0
  for await (const chunk of bytes) size += chunk.length
  return size
}

const fsck: Engine['fsck'] = {
  async *check() {
    yield { summary: { findings: 0, repaired: 0 } }
  },
}

const pushes: Engine['pushes'] = {
  async *push(name, { tag }) {
    if (name !== 'demo') {
      const message = `An image does not exist locally with the tag: ${name}`
      throw new EngineError('not_found', message, { code: 'IMAGE_NOT_FOUND' })
    }
    const { digest, size } = fakeDescriptor
    yield { status: 'The push refers to repository [docker.io/library/demo]' }
    yield { status: `${tag}: digest: ${digest} size: ${size}` }
    yield { progressDetail: {}, aux: { Tag: tag ?? '', Digest: digest, Size: size } }
  },
}

const registries: Engine['registries'] = {
  async login({ password }) {
    if (password !== 'wrong') return { Status: 'Login Succeeded', IdentityToken: '' }
    throw new EngineError('unauthenticated', 'unauthorized: incorrect username or password', {
      code: 'REGISTRY_UNAUTHORIZED',
    })
  },
  search: (term) =>
    Promise.resolve([
      { name: term, description: 'a demo', star_count: 3, is_official: true, is_automated: false },
    ]),
  async inspect(name) {
    known(name)
    return { Descriptor: { ...fakeDescriptor }, Platforms: [{ architecture: 'amd64', os: 'linux' }] }
  },
}

const fakeDescriptor = {
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: `sha256:${'4d'.repeat(32)}`,
  size: 528,
}

const system: Engine['system'] = {
  version: () => Promise.resolve(fakeVersion),
  info: () => Promise.resolve(fakeInfo),
  builderVersion: '2',
  diskUsage: () =>
    Promise.resolve({
      ImageUsage: {
        ActiveCount: 1,
        TotalCount: 1,
        Reclaimable: 0,
        TotalSize: 7,
        Items: [fakeImages.summary],
      },
      ContainerUsage: { ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0, Items: [] },
      VolumeUsage: {
        ActiveCount: 0,
        TotalCount: 1,
        Reclaimable: 0,
        TotalSize: 0,
        Items: [{ ...fakeVolume('data'), UsageData: { Size: 5, RefCount: 1 } }],
      },
      BuildCacheUsage: { ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0, Items: [] },
    }),
}

const volumes: Engine['volumes'] = {
  list: () => Promise.resolve({ Volumes: [fakeVolume('data')], Warnings: null }),
  create: (body) => Promise.resolve(fakeVolume(body.Name || 'anonymous')),
  inspect: async (name) => (knownVolume(name), fakeVolume(name)),
  remove: async (name, { force }) => (force ? undefined : knownVolume(name)),
  prune: () => Promise.resolve({ VolumesDeleted: [], SpaceReclaimed: 0 }),
  planPrune: () => Promise.resolve([{ Kind: 'volume', ID: 'data', Name: 'data', Size: 5 }]),
}

const volumeTransfers: Engine['volumeTransfers'] = {
  rename: async (name) => knownVolume(name),
  clone: async (name, to) => (knownVolume(name), fakeVolume(to)),
  async export(name) {
    knownVolume(name)
    return (async function* () {
      yield Buffer.from('tar')
    })()
  },
  async import(name, archive) {
    // Like a full disk: a part of the archive has been read by then.
    if (name === 'full') {
      for await (const _ of archive) {
        throw new EngineError('resource_exhausted', 'no space left on device', { code: 'DISK_FULL' })
      }
    }
    if (name !== 'other') {
      throw new EngineError('invalid_argument', `create ${name}: bad name`, { code: 'VOLUME_NAME_INVALID' })
    }
    await Array.fromAsync(archive)
    return fakeVolume(name)
  },
}

function knownVolume(name: string): void {
  if (name === 'data') return
  throw new EngineError('not_found', `get ${name}: no such volume`, { code: 'VOLUME_NOT_FOUND' })
}

const networks: Engine['networks'] = {
  list: () => Promise.resolve(fakeNetworks),
  async inspect(ref) {
    const network = fakeNetworks.find(({ Id, Name }) => Name === ref || Id === ref)
    if (network !== undefined) return network
    throw new EngineError('not_found', `network ${ref} not found`, { code: 'NETWORK_NOT_FOUND' })
  },
  create: () => Promise.resolve({ Id: 'f'.repeat(64), Warning: '' }),
  remove: async (ref) => void (await networks.inspect(ref)),
  prune: () => Promise.resolve({ NetworksDeleted: null }),
  planPrune: () => Promise.resolve([]),
  connect: async (ref) => void (await networks.inspect(ref)),
  disconnect: async (ref) => void (await networks.inspect(ref)),
}

function whyOf({ Id, Name }: ContainerInspectResponse): ContainerWhy {
  const said = { Summary: 'It is as it is.', Details: [], History: [], LastLines: [] }
  return { ID: Id ?? '', Name: (Name ?? '').slice(1), Image: 'demo', Status: 'running', ...said }
}

const explanations: Engine['explanations'] = {
  exposure: () =>
    Promise.resolve({
      Firewall: 'open',
      Table: 'berth',
      HostAddresses: [],
      Ports: [],
      Drift: [],
      Foreign: [],
    }),
  unreachable: () => Promise.resolve({ Hops: [{ Hop: 'container', State: 'ok', Text: 'web is running' }] }),
}

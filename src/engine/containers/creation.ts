import { hostname as machineName } from 'node:os'
import type { ContainerConfig, HostConfig } from '#api/generated/types.ts'
import { EngineError } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import type { Logger } from '#base/logger.ts'
import { formatPlatform, type Platform, platformDistance, platformOf } from '#oci/platform.ts'
import type { Machine } from '#runtime/machine.ts'
import type { Runtimes } from '#runtime/runtimes.ts'
import { resolveUser } from '#runtime/users.ts'
import { isForeignKeyViolation } from '#store/db.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import { noSuchImage } from '../images/errors.ts'
import type { Image } from '../images/image-store.ts'
import type { Images } from '../images/images.ts'
import type { ContainerCreateBody } from '../services.ts'
import type { Volumes } from '../volumes/volumes.ts'
import { type MountRequest, mountRequests } from './config/binds.ts'
import { type ContainerSettings, completeHostConfig } from './config/defaults.ts'
import { invalidConfig } from './config/errors.ts'
import { type MergedConfig, mergeConfig } from './config/merge.ts'
import { generateName, validateName } from './config/names.ts'
import { exposedWithBound } from './config/ports.ts'
import { rfc3339Nano } from './config/status.ts'
import { checkSupported } from './config/supported.ts'
import type { LogDrivers } from './log-drivers.ts'
import { validateCreate } from './config/validate.ts'
import { type KnownNetworks, attachmentsOf } from '../networks/attachments.ts'
import { resolveLinks } from '../networks/legacy-links.ts'
import type { Attachment, Container } from './container.ts'
import { nameTaken } from './errors.ts'
import { networkModeOf } from './network-mode.ts'
import { prepareRoot } from './generated-places.ts'
import type { ContainerEvents } from './events.ts'
import { type Mounts, lentMounts } from './mounts.ts'
import type { ContainerRegistry } from './registry.ts'

export interface CreationDeps {
  readonly registry: ContainerRegistry
  readonly images: Pick<Images, 'resolve'>
  readonly snapshots: Snapshots
  readonly mounts: Pick<Mounts, 'resolve'>
  readonly events: ContainerEvents
  readonly machine: Machine
  /** Of the host, with the level of its processor. */
  readonly platform: Platform
  /** As configured now. */
  readonly settings: () => ContainerSettings
  readonly logDrivers: Pick<LogDrivers, 'check'>
  readonly runtimes: Pick<Runtimes, 'standardName' | 'names'>
  readonly volumes: Pick<Volumes, 'hold' | 'abandoned'>
  readonly logger: Logger
  readonly knownNetworks: KnownNetworks
  /** Where the engine keeps its own files. */
  readonly dataRoot: string
}

interface Plan {
  readonly merged: MergedConfig
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
  readonly attachments: readonly Attachment[]
  readonly requests: readonly MountRequest[]
  readonly warnings: string[]
}

/** Makes containers: everything is checked before anything is made, and the row comes last. */
export class Creation {
  readonly #deps: CreationDeps
  /** Names of containers that are being created. */
  readonly #reserved = new Map<string, string>()

  constructor(deps: CreationDeps) {
    this.#deps = deps
  }

  async create(
    body: ContainerCreateBody,
    options: { readonly name?: string | undefined; readonly platform?: string | undefined },
  ): Promise<{ Id: string; Warnings: string[] }> {
    const { images, registry } = this.#deps
    if (!body.Image && !body.Cmd?.length && !body.Entrypoint?.length)
      throw invalidConfig('no command specified')
    const id = newId()
    const name = this.#name(id, options.name)
    this.#reserved.set(name, id)
    try {
      const image = await images.resolve(body.Image ?? '', options.platform)
      const plan = this.#plan(id, body, image)
      const logged = { id, name, image: body.Image ?? '', imageId: image.id, config: plan.config }
      await this.#deps.logDrivers.check(logged, plan.hostConfig.LogConfig ?? {})
      // A user that cannot be one is refused now; a name that is not there is told at start, as with Docker.
      resolveUser(numericParts(plan.config.User ?? ''), '', '', [])
      const container = await this.#make(id, name, body, image, plan)
      if (container.hostConfig.AutoRemove !== true) await registry.durable()
      const foreign = options.platform ? [] : platformWarnings(image, this.#deps.platform)
      return { Id: id, Warnings: [...foreign, ...plan.warnings] }
    } finally {
      this.#reserved.delete(name)
    }
  }

  #name(id: string, wanted: string | undefined): string {
    const { registry } = this.#deps
    const owner = (name: string): string | undefined => registry.named(name)?.id ?? this.#reserved.get(name)
    if (wanted === undefined || wanted === '') return generateName(id, (name) => owner(name) !== undefined)
    const name = validateName(wanted)
    const taken = owner(name)
    if (taken !== undefined) throw nameTaken(name, taken)
    return name
  }

  #plan(id: string, body: ContainerCreateBody, image: Image): Plan {
    const { machine, settings, registry, runtimes } = this.#deps
    const merged = mergeConfig(body, image.config.config ?? {})
    const complete = completeHostConfig(body.HostConfig ?? {}, {
      ...settings(),
      machine,
      runtime: runtimes.standardName,
    })
    checkSupported(complete)
    const linked = resolveLinks(registry, withDonorIds(registry, complete))
    const { hostConfig, warnings } = validateCreate(merged.config, linked, {
      ...machine,
      runtimes: runtimes.names,
    })
    checkExposing(body, complete)
    const exposed = exposedWithBound(merged.config, hostConfig)
    const config: ContainerConfig = {
      ...merged.config,
      Hostname: hostnameOf(id, merged.config, hostConfig),
      ...(exposed === undefined ? {} : { ExposedPorts: exposed }),
    }
    const requests = mountRequests(config, hostConfig, {
      donorMounts: (ref) => lentMounts(donor(registry, ref).mounts),
      dataRoot: this.#deps.dataRoot,
      shallowReadOnly: body.ShallowReadOnlyBinds,
    })
    const attachments = attachmentsOf(
      this.#deps.knownNetworks,
      { config, hostConfig },
      body.NetworkingConfig ?? {},
      macOf(body),
    )
    return { merged, config, hostConfig, attachments, requests, warnings }
  }

  async #make(
    id: string,
    name: string,
    body: ContainerCreateBody,
    image: Image,
    { merged, config, hostConfig, attachments, requests }: Plan,
  ): Promise<Container> {
    const { snapshots, mounts, volumes, events } = this.#deps
    using _held = volumes.hold(id)
    // Undone, newest first, unless the row is written.
    await using made = new AsyncDisposableStack()
    await prepareRoot(snapshots, { id, layers: image.layers })
    made.defer(() => this.#undo(id, () => snapshots.remove(id)))
    made.defer(() => this.#undo(id, () => volumes.abandoned(id)))
    const resolved = await mounts.resolve({ id, name, image: body.Image ?? '' }, requests, image)

    const container: Container = {
      id,
      name,
      createdAt: rfc3339Nano(new Date()),
      imageId: image.id,
      image: body.Image ?? '',
      layers: image.layers,
      platform: 'linux',
      path: merged.path,
      args: merged.args,
      config,
      hostConfig,
      attachments,
      mounts: resolved,
      state: { status: 'created' },
      restartCount: 0,
      stoppedByHand: false,
    }
    this.#add(container)
    made.move()
    events.publish(container, 'create')
    return container
  }

  #add(container: Container): void {
    try {
      this.#deps.registry.add(container)
    } catch (error) {
      // The image was removed while the container was made.
      if (isForeignKeyViolation(error)) throw noSuchImage(container.image)
      throw error
    }
  }

  /** What cannot be undone does not hide why the creation has failed; recovery tries again. */
  async #undo(id: string, undo: () => Promise<void>): Promise<void> {
    try {
      await undo()
    } catch (error) {
      this.#deps.logger.error('what a failed creation left cannot be removed', { container: id, error })
    }
  }
}

/** Docker's words. Whoever names a platform knows what they do. */
function platformWarnings({ config }: Image, host: Platform): readonly string[] {
  const own = platformOf(config)
  if (platformDistance(host, own) !== undefined) return []
  return [
    `The requested image's platform (${formatPlatform(own)}) does not match the detected host platform ` +
      `(${formatPlatform(host)}) and no specific platform was requested`,
  ]
}

/** Not 404, as Docker has it: at create its client takes that for a missing image, and pulls it. */
function donor(registry: ContainerRegistry, ref: string): Container {
  const found = registry.find(ref)
  if (found !== undefined) return found
  throw new EngineError('invalid_argument', `No such container: ${ref}`, { code: 'CONTAINER_NOT_FOUND' })
}

/** Modes that name another container, by its id: that may be renamed. A network's donor may also come later. */
function withDonorIds(registry: ContainerRegistry, hostConfig: HostConfig): HostConfig {
  const { NetworkMode, PidMode, IpcMode } = hostConfig
  const refOf = (mode: string | null | undefined): string | undefined =>
    /^container:(.+)$/.exec(mode ?? '')?.[1]
  const [network, pid, ipc] = [refOf(NetworkMode), refOf(PidMode), refOf(IpcMode)]
  const networkDonor = network === undefined ? undefined : registry.find(network)
  return {
    ...hostConfig,
    ...(networkDonor === undefined ? {} : { NetworkMode: `container:${networkDonor.id}` }),
    ...(pid === undefined ? {} : { PidMode: `container:${donor(registry, pid).id}` }),
    ...(ipc === undefined ? {} : { IpcMode: `container:${donor(registry, ipc).id}` }),
  }
}

/** What an image exposes is no demand. */
function checkExposing(body: ContainerCreateBody, { NetworkMode: mode }: HostConfig): void {
  if (mode?.startsWith('container:') !== true || Object.keys(body.ExposedPorts ?? {}).length === 0) return
  throw invalidConfig('conflicting options: port exposing and the container type network mode')
}

/** A name is looked up when the container starts; a number can be refused now. */
function numericParts(user: string): string {
  return user
    .split(':')
    .map((part) => (/^[+-]?\d+$/.test(part) ? part : '0'))
    .join(':')
}

function hostnameOf(id: string, config: ContainerConfig, hostConfig: HostConfig): string {
  const mode = networkModeOf({ config, hostConfig })
  if (config.Hostname !== undefined && config.Hostname !== null && config.Hostname !== '')
    return config.Hostname
  return mode === 'host' ? machineName() : id.slice(0, 12)
}

/** Clients before API 1.44 put it into the container's own configuration. */
function macOf(config: object): string | undefined {
  return 'MacAddress' in config && typeof config.MacAddress === 'string' && config.MacAddress !== ''
    ? config.MacAddress
    : undefined
}

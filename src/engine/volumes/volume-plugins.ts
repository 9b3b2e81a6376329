import { EngineError, isKind } from '#base/errors.ts'
import { driverUnknown } from './errors.ts'
import {
  type PluginAddress,
  type PluginDirectories,
  pluginAddress,
  pluginNames,
} from '../plugins/plugin-address.ts'
import { callPlugin } from '../plugins/plugin-client.ts'

/** Milliseconds for a call that may work on storage, and for one that only looks. */
const WORK_PATIENCE = 120_000
const LOOK_PATIENCE = 10_000

/** A volume as its plugin has it. */
export interface PluginVolume {
  readonly Name: string
  readonly Mountpoint?: string
  readonly CreatedAt?: string
  readonly Status?: Readonly<Record<string, unknown>>
  /** Of the plugin. */
  readonly Scope?: 'local' | 'global'
}

/**
 * Docker's volume plugins (docs.docker.com/engine/extend/plugins_volume): programs that listen on a socket below
 * /run/docker/plugins, or where a file below /etc/docker/plugins says, and answer `VolumeDriver.*`. A plugin is looked up
 * for every operation: it may come, go and move while the engine runs.
 */
export class VolumePlugins {
  readonly #directories: PluginDirectories
  /** Plugins that have said what they are, by address. */
  readonly #activated = new Map<string, VolumePlugin>()

  constructor(directories: PluginDirectories) {
    this.#directories = directories
  }

  /** Rejects with `not_found` when there is no such plugin, or when it makes no volumes. */
  async get(name: string): Promise<VolumePlugin> {
    const address = await pluginAddress(name, this.#directories)
    if (address === undefined) throw driverUnknown(name)
    const key = JSON.stringify([name, address])
    const known = this.#activated.get(key)
    if (known !== undefined) return known
    const plugin = new VolumePlugin(name, address)
    if (!(await plugin.isVolumeDriver())) throw driverUnknown(name)
    this.#activated.set(key, plugin)
    return plugin
  }

  /** Every plugin that is there and answers. */
  async all(): Promise<readonly VolumePlugin[]> {
    return (await this.#activate()).plugins
  }

  /** What every plugin has, in the order of the plugins; what was wrong with those that do not say. */
  async volumes(): Promise<{
    readonly volumes: readonly ListedVolume[]
    readonly problems: readonly Problem[]
  }> {
    const { plugins, problems } = await this.#activate()
    const volumes: ListedVolume[] = []
    for (const plugin of plugins) {
      try {
        for (const volume of await plugin.list()) volumes.push({ volume, driver: plugin.name })
      } catch (error) {
        problems.push(problemOf(plugin.name, error))
      }
    }
    return { volumes, problems }
  }

  async #activate(): Promise<{ readonly plugins: VolumePlugin[]; readonly problems: Problem[] }> {
    const plugins: VolumePlugin[] = []
    const problems: Problem[] = []
    for (const name of await pluginNames(this.#directories)) {
      try {
        plugins.push(await this.get(name))
      } catch (error) {
        if (!isKind(error, 'not_found')) problems.push(problemOf(name, error))
      }
    }
    return { plugins, problems }
  }
}

interface ListedVolume {
  readonly volume: PluginVolume
  readonly driver: string
}

interface Problem {
  readonly driver: string
  readonly message: string
}

/** Throws what is no failure of a plugin. */
function problemOf(driver: string, error: unknown): Problem {
  if (error instanceof EngineError) return { driver, message: error.message }
  throw error
}

export class VolumePlugin {
  readonly name: string
  readonly #address: PluginAddress
  #capabilities: Promise<'local' | 'global'> | undefined

  constructor(name: string, address: PluginAddress) {
    this.name = name
    this.#address = address
  }

  async isVolumeDriver(): Promise<boolean> {
    const { Implements } = await this.#look<{ Implements?: readonly string[] }>('Plugin.Activate', {})
    return Implements?.includes('VolumeDriver') === true
  }

  /** `local` unless the plugin says `global`. Old plugins do not know the question. */
  async #asked(): Promise<'local' | 'global'> {
    try {
      const answer = await this.#look<{ Capabilities?: { Scope?: string } }>('VolumeDriver.Capabilities', {})
      return answer.Capabilities?.Scope?.toLowerCase() === 'global' ? 'global' : 'local'
    } catch (error) {
      if (error instanceof EngineError) return 'local'
      throw error
    }
  }

  async create(name: string, options: Readonly<Record<string, string>>): Promise<void> {
    await this.#work('VolumeDriver.Create', { Name: name, Opts: options })
  }

  async remove(name: string): Promise<void> {
    await this.#work('VolumeDriver.Remove', { Name: name })
  }

  /** Makes it usable for `id`; where it is mounted. */
  async mount(name: string, id: string): Promise<string> {
    const { Mountpoint } = await this.#work<{ Mountpoint?: string }>('VolumeDriver.Mount', {
      Name: name,
      ID: id,
    })
    if (Mountpoint?.startsWith('/') === true) return Mountpoint
    throw new EngineError(
      'unavailable',
      `plugin "${this.name}": VolumeDriver.Mount: no mount point was given`,
      {
        code: 'PLUGIN_UNREACHABLE',
      },
    )
  }

  /** `id` does not use it any more. */
  async unmount(name: string, id: string): Promise<void> {
    await this.#work('VolumeDriver.Unmount', { Name: name, ID: id })
  }

  /** Undefined when the plugin does not have it. */
  async find(name: string): Promise<PluginVolume | undefined> {
    try {
      const { Volume } = await this.#look<{ Volume?: PluginVolume }>('VolumeDriver.Get', { Name: name })
      return Volume === undefined ? undefined : { ...Volume, Scope: await this.#scope() }
    } catch (error) {
      if (error instanceof EngineError && error.code === 'PLUGIN_FAILED') return undefined
      throw error
    }
  }

  async list(): Promise<readonly PluginVolume[]> {
    const { Volumes } = await this.#look<{ Volumes?: readonly PluginVolume[] | null }>(
      'VolumeDriver.List',
      {},
    )
    const Scope = await this.#scope()
    return (Volumes ?? []).map((volume) => ({ ...volume, Scope }))
  }

  #scope(): Promise<'local' | 'global'> {
    this.#capabilities ??= this.#asked()
    return this.#capabilities
  }

  #look<Answer extends object>(method: string, body: object): Promise<Answer> {
    return callPlugin<Answer>({ name: this.name, address: this.#address }, method, body, {
      timeout: LOOK_PATIENCE,
    })
  }

  #work<Answer extends object = object>(method: string, body: object): Promise<Answer> {
    return callPlugin<Answer>({ name: this.name, address: this.#address }, method, body, {
      timeout: WORK_PATIENCE,
    })
  }
}

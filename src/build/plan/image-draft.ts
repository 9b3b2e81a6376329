import type { History, RunConfig } from '#oci/image-spec.ts'
import { type Platform, platformOf } from '#oci/platform.ts'
import { cleanPath } from '../dockerfile/ignore.ts'
import type { BaseImage, Filesystem, PlannedHistory } from '../graph/operations.ts'
import type { ResolvedImage } from '../graph/plan.ts'

/** What an image without a PATH gets, for RUN and in its configuration. */
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** In the order in which Docker writes them. */
const FIELDS = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'ArgsEscaped',
  'Healthcheck',
  'OnBuild',
  'Shell',
] as const satisfies readonly (keyof RunConfig)[]

type Config = { -readonly [K in keyof RunConfig]?: NonNullable<RunConfig[K]> }

interface DraftParts {
  readonly config: Config
  readonly platform: Platform
  readonly base: BaseImage | undefined
  readonly baseHistory: readonly History[]
  readonly history: readonly PlannedHistory[]
  readonly author: string | undefined
}

/** The configuration and history of an image while the instructions of its stage go by. */
export class ImageDraft {
  readonly config: Config
  /** Of the image; its base decides. */
  readonly platform: Platform
  readonly base: BaseImage | undefined
  readonly baseHistory: readonly History[]
  author: string | undefined
  readonly #history: PlannedHistory[]

  private constructor(parts: DraftParts) {
    this.config = parts.config
    this.platform = parts.platform
    this.base = parts.base
    this.baseHistory = parts.baseHistory
    this.author = parts.author
    this.#history = [...parts.history]
  }

  /** From nothing. */
  static empty(platform: Platform): ImageDraft {
    const config = { Env: [DEFAULT_PATH], WorkingDir: '/' }
    const nothing = { base: undefined, baseHistory: [], history: [], author: undefined }
    return new ImageDraft({ config, platform, ...nothing })
  }

  /** From an image: of its configuration what an engine acts on. */
  static of({ config: document }: ResolvedImage, base: BaseImage): ImageDraft {
    const config = copyConfig(document.config ?? {})
    const env = config.Env ?? []
    if (!env.some((entry) => entry.startsWith('PATH='))) config.Env = [...env, DEFAULT_PATH]
    return new ImageDraft({
      config,
      platform: platformOf(document),
      base,
      baseHistory: document.history ?? [],
      history: [],
      author: document.author ?? undefined,
    })
  }

  /** For a stage that continues this one. */
  fork(): ImageDraft {
    const { platform, base, baseHistory, author } = this
    const config = copyConfig(this.config)
    return new ImageDraft({ config, platform, base, baseHistory, author, history: this.#history })
  }

  /** Oldest first, without that of the base image. */
  get history(): readonly PlannedHistory[] {
    return [...this.#history]
  }

  /** Where WORKDIR has led: absolute and clean, whatever the configuration has. */
  get workdir(): string {
    return cleanPath(`/${this.config.WorkingDir ?? ''}`)
  }

  get user(): string {
    return this.config.User ?? ''
  }

  /** The arguments that run `text` in the shell of the image. */
  inShell(text: string): readonly string[] {
    const { Shell: shell = [] } = this.config
    return [...(shell.length === 0 ? ['/bin/sh', '-c'] : shell), text]
  }

  /** Sets a variable in its place; a new one comes last. */
  setEnv(name: string, value: string): void {
    const env = [...(this.config.Env ?? [])]
    const at = env.findIndex((entry) => nameOf(entry) === name)
    env[at === -1 ? env.length : at] = `${name}=${value}`
    this.config.Env = env
  }

  /** Variables as pairs; the last of a name counts. */
  get environment(): readonly (readonly [string, string])[] {
    const pairs = new Map<string, string>()
    for (const entry of this.config.Env ?? []) {
      const name = nameOf(entry)
      pairs.set(name, entry.slice(name.length + 1))
    }
    return [...pairs]
  }

  /** Adds an entry of history; `step`: what may have made a layer. */
  add(createdBy: string, step?: Filesystem): void {
    this.#history.push({ createdBy, step })
  }

  /** The configuration without what is empty, keys of its maps in order. */
  finish(labels: Readonly<Record<string, string>>): RunConfig {
    const all = { ...this.config, Labels: { ...this.config.Labels, ...labels } }
    const entries = FIELDS.map((field) => [field, sorted(all[field])])
    return Object.fromEntries(entries.filter(([, value]) => !isEmpty(value))) as RunConfig
  }
}

function copyConfig(config: RunConfig): Config {
  const entries = FIELDS.map((field) => [field, config[field]])
  return structuredClone(Object.fromEntries(entries.filter(([, value]) => !isEmpty(value)))) as Config
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** Maps by their keys; what else there is as it is. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value)
  // Healthcheck is no map: its fields have an order of their own.
  if (entries.some(([, member]) => Array.isArray(member))) return value
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function nameOf(entry: string): string {
  const at = entry.indexOf('=')
  return at === -1 ? entry : entry.slice(0, at)
}

import { join } from 'node:path'
import { EngineError } from '#base/errors.ts'
import type { Helper } from '#os/helper.ts'
import { type ConfiguredRuntime, runtimeCommand, shellQuoted } from './runtime-command.ts'
import { SeccompFilters } from './seccomp-filters.ts'
import { inspectRuntime, type SelectedRuntime, STANDARD_NAMES } from './select.ts'

/** Names of Docker's default runtime, which mean the default here. */
const DOCKERS_DEFAULT = ['runc', 'io.containerd.runc.v2']

/** What a container is started with. */
export interface UsableRuntime {
  /** What to execute. */
  readonly binary: string
  readonly timeNamespaces: boolean
  readonly seccompFilters: SeccompFilters
}

export interface RuntimesOptions {
  readonly helper: Pick<Helper, 'run'>
  /** The default, as it was selected. */
  readonly selected: SelectedRuntime
  /** Path of the default. */
  readonly binary: string
  /** By name, as the configuration has them now. */
  readonly configured: () => Readonly<Record<string, ConfiguredRuntime>>
  /** Controllers of a v2 hierarchy beside v1 ones (Machine.hybridControllers). */
  readonly hybridControllers: readonly string[]
  /** Where compiled seccomp filters are kept. */
  readonly filters: string
  /** Where runtimes that are called with arguments have their scripts; programs can be executed there. */
  readonly scripts: string
}

/** The OCI runtimes that containers can ask for by name: the default one, and those of the configuration. */
export class Runtimes {
  readonly standard: UsableRuntime
  readonly #options: RuntimesOptions
  /** By name and configuration. */
  readonly #usable = new Map<string, Promise<UsableRuntime>>()

  constructor(options: RuntimesOptions) {
    const { selected, binary, filters } = options
    this.#options = options
    this.standard = {
      binary,
      timeNamespaces: selected.timeNamespaces,
      seccompFilters: new SeccompFilters(filters, selected),
    }
  }

  /** Of the default one: what a container gets that names none. */
  get standardName(): string {
    return this.#options.selected.name
  }

  /** All that may be asked for. */
  get names(): readonly string[] {
    const { selected, configured } = this.#options
    return [...new Set([selected.name, ...DOCKERS_DEFAULT, ...Object.keys(configured())])]
  }

  /**
   * Looks at a configured runtime when it is asked for the first time. `invalid_argument` for a name that is not known,
   * `unavailable` for a runtime that cannot be executed.
   */
  async named(name: string): Promise<UsableRuntime> {
    const { selected, configured } = this.#options
    const all = configured()
    if (!Object.hasOwn(all, name)) {
      // A container keeps the name of what was the default when it was created.
      if (['', selected.name, ...DOCKERS_DEFAULT, ...STANDARD_NAMES].includes(name)) return this.standard
      throw new EngineError('invalid_argument', `unknown or invalid runtime name: ${name}`, {
        code: 'RUNTIME_UNKNOWN',
        details: { runtime: name },
      })
    }
    const wanted = all[name] as ConfiguredRuntime
    const key = JSON.stringify([name, wanted])
    const known = this.#usable.get(key)
    if (known !== undefined) return known
    const looking = this.#look(name, wanted)
    this.#usable.set(key, looking)
    // It may be installed meanwhile.
    looking.catch(() => this.#usable.delete(key))
    return looking
  }

  async #look(name: string, wanted: ConfiguredRuntime): Promise<UsableRuntime> {
    const { helper, hybridControllers, filters, scripts } = this.#options
    const binary = await executable(helper, wanted.path)
    const found = await inspectRuntime(binary, { run: (argv) => helper.run(argv), hybridControllers })
    if (typeof found === 'string') {
      throw new EngineError(
        'unavailable',
        `runtime "${name}" of the configuration: ${wanted.path}: ${found}`,
        {
          code: 'RUNTIME_UNAVAILABLE',
          details: { runtime: name, path: wanted.path },
        },
      )
    }
    return {
      binary: await runtimeCommand(scripts, { ...wanted, path: binary }),
      timeNamespaces: found.timeNamespaces,
      seccompFilters: new SeccompFilters(filters, found),
    }
  }
}

/** The path of a program that the helper would execute; the name itself when there is none. */
export async function executable(helper: Pick<Helper, 'run'>, name: string): Promise<string> {
  const { stdout } = await helper.run(['sh', '-c', `command -v ${shellQuoted(name)}`])
  return stdout.trim() || name
}

/** Below the data root, which may be executed from where /run may not. */
export function scriptsDirectory(dataRoot: string): string {
  return join(dataRoot, 'runtimes')
}

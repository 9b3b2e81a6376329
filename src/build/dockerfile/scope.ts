import { formatPlatform, type Platform } from '#oci/platform.ts'
import { type Expansion, expandWord, type Lookup } from './expansion.ts'
import { locating } from './failure.ts'
import type { Arg, Declaration } from './instruction.ts'
import type { Dockerfile } from './parse.ts'
import type { Range } from './source.ts'

/** Proxy settings, either case, that need no ARG. RUN gets them; cache keys and history do not, unless declared. */
export const PROXY_ARGS: ReadonlySet<string> = new Set(
  ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy'].flatMap((name) => [
    name,
    name.toUpperCase(),
  ]),
)

/** Arguments that steer the build. They are read from the build's arguments and need no ARG. */
const BUILTIN_ARGS: ReadonlySet<string> = new Set([
  'BUILDKIT_BUILD_NAME',
  'BUILDKIT_CACHE_MOUNT_NS',
  'BUILDKIT_CONTEXT_KEEP_GIT_DIR',
  'BUILDKIT_DOCKERFILE_CHECK',
  'BUILDKIT_INLINE_CACHE',
  'BUILDKIT_MULTI_PLATFORM',
  'BUILDKIT_SANDBOX_HOSTNAME',
  'BUILDKIT_SYNTAX',
  'SOURCE_DATE_EPOCH',
])

/** Declared in the Dockerfile, read by the builder, never in the environment of RUN. */
export const SCANNER_ARGS: ReadonlySet<string> = new Set([
  'BUILDKIT_SBOM_SCAN_CONTEXT',
  'BUILDKIT_SBOM_SCAN_STAGE',
])

export interface BuildArguments {
  /** `--build-arg`. */
  readonly buildArgs: Readonly<Record<string, string>>
  readonly buildPlatform: Platform
  readonly targetPlatform: Platform
  /** Name of the target stage; `default` when none was asked for. */
  readonly targetStage?: string | undefined
}

/** What FROM lines see: platforms, then the ARGs above the first FROM. */
export interface GlobalScope {
  /** In the order of declaration; an undefined value is declared without one. */
  readonly values: ReadonlyMap<string, string | undefined>
  readonly buildArgs: Readonly<Record<string, string>>
  /** For FROM: declared names without a value are empty. */
  readonly lookup: Lookup
}

export function globalScope(file: Dockerfile, build: BuildArguments): GlobalScope {
  const { buildArgs } = build
  const given = (name: string): string | undefined =>
    Object.hasOwn(buildArgs, name) ? buildArgs[name] : undefined
  const values = new Map<string, string | undefined>()
  for (const [name, value] of platformArgs(build)) values.set(name, given(name) ?? value)
  const lookup: Lookup = (name) => (values.has(name) ? (values.get(name) ?? '') : undefined)
  for (const { declarations, range } of file.globals) {
    for (const { name, value } of declarations) {
      const initial = value === undefined ? values.get(name) : undefined
      values.set(name, given(name) ?? initial ?? expandOptional(file, range, value, lookup))
    }
  }
  return { values, buildArgs, lookup }
}

/** Names given with `--build-arg` that nothing in the file declares and that mean nothing by themselves. */
export function unusedBuildArgs(file: Dockerfile, build: BuildArguments): readonly string[] {
  const stages = file.stages.flatMap(({ instructions }) => instructions)
  const declared = new Set(
    [...file.globals, ...stages].flatMap((instruction) =>
      instruction.kind === 'arg' ? instruction.declarations.map(({ name }) => name) : [],
    ),
  )
  for (const [name] of platformArgs(build)) declared.add(name)
  return Object.keys(build.buildArgs).filter(
    (name) => !declared.has(name) && !PROXY_ARGS.has(name) && !BUILTIN_ARGS.has(name),
  )
}

/** Variables of a stage while its instructions go by; what stands later wins over what stood before. */
export class StageScope {
  readonly #file: Dockerfile
  readonly #global: GlobalScope
  readonly #variables: Map<string, string>
  readonly #args: Map<string, string | undefined>
  readonly #environment: Map<string, string>

  /** `environment`: of the base image. A stage FROM another one continues that one's scope: `fork()`. */
  constructor(file: Dockerfile, global: GlobalScope, environment: Iterable<readonly [string, string]> = []) {
    this.#file = file
    this.#global = global
    this.#environment = new Map(environment)
    this.#variables = new Map(this.#environment)
    this.#args = new Map()
  }

  /** What stays in the image: base image and ENV. */
  get environment(): ReadonlyMap<string, string> {
    return this.#environment
  }

  /** ARGs declared so far, also those without a value. */
  get args(): ReadonlyMap<string, string | undefined> {
    return this.#args
  }

  /** What RUN gets: environment and ARGs, without those for the scanner. */
  get variables(): ReadonlyMap<string, string> {
    return this.#variables
  }

  readonly lookup: Lookup = (name) => this.#variables.get(name)

  /** The scope of a stage that continues this one: what the image keeps goes before its ARGs again. */
  fork(): StageScope {
    const scope = new StageScope(this.#file, this.#global)
    for (const [name, value] of this.#environment) scope.#environment.set(name, value)
    for (const [name, value] of this.#variables) scope.#variables.set(name, value)
    for (const [name, value] of this.#environment) scope.#variables.set(name, value)
    for (const [name, value] of this.#args) scope.#args.set(name, value)
    return scope
  }

  /** ENV, expanded. */
  set(name: string, value: string): void {
    this.#environment.set(name, value)
    this.#variables.set(name, value)
  }

  /**
   * ARG: `--build-arg` beats the default, which beats the global scope. Gives the values in effect; `seen` gets the
   * expansion of each default that was used.
   */
  declare(arg: Arg, seen: (expansion: Expansion) => void = () => {}): readonly Declaration[] {
    return arg.declarations.map((declaration) => {
      const value = this.#valueOf(declaration, arg.range, seen)
      const { name } = declaration
      this.#args.set(name, value)
      if (value !== undefined && !SCANNER_ARGS.has(name)) this.#variables.set(name, value)
      return { ...declaration, value }
    })
  }

  #valueOf(
    { name, value }: Declaration,
    range: Range,
    seen: (expansion: Expansion) => void,
  ): string | undefined {
    const { buildArgs, values } = this.#global
    if (Object.hasOwn(buildArgs, name)) return buildArgs[name]
    if (value === undefined) return values.get(name)
    return locating(this.#file.source, range, () => {
      const expansion = expandWord(value, this.lookup, { escape: this.#file.escape })
      seen(expansion)
      return expansion.text
    })
  }
}

function platformArgs({
  buildPlatform,
  targetPlatform,
  targetStage,
}: BuildArguments): readonly [string, string][] {
  const of = (prefix: string, platform: Platform): [string, string][] => [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform['os.version'] ?? ''],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ''],
  ]
  const stage: [string, string] = ['TARGETSTAGE', targetStage ?? 'default']
  return [...of('BUILD', buildPlatform), ...of('TARGET', targetPlatform), stage]
}

function expandOptional(
  file: Dockerfile,
  range: Range,
  value: string | undefined,
  lookup: Lookup,
): string | undefined {
  if (value === undefined) return undefined
  return locating(file.source, range, () => expandWord(value, lookup, { escape: file.escape }).text)
}

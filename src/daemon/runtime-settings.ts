/** Runtimes that containers can ask for: `runtimes` and `--add-runtime`, as dockerd has them. Read again on SIGHUP. */
import { EngineError } from '#base/errors.ts'
import type { ConfiguredRuntime } from '#runtime/runtime-command.ts'

export type RuntimeSettings = Readonly<Record<string, ConfiguredRuntime>>

/** Kept for Docker's default, as by dockerd. */
const RESERVED = 'runc'
/** dockerd's name for what is called as an OCI runtime is. */
const OCI_TYPE = 'io.containerd.runc.v2'

/** `flags`: NAME=PATH each; over what the file has under the same name. `invalid_argument` names the key. */
export function runtimeSettings(flags: readonly string[], file: unknown): RuntimeSettings {
  const entries = [...objectOf(file ?? {}, '"runtimes"')].map(
    ([name, value]) => [name, fileRuntime(name, value)] as const,
  )
  const added = flags.map(flagRuntime)
  const all = [...entries, ...added]
  for (const [name] of all) {
    if (name === RESERVED || name === OCI_TYPE)
      throw invalid(`runtime name "${name}" is reserved: it means the default runtime`)
  }
  return Object.fromEntries(all)
}

function flagRuntime(text: string): readonly [string, ConfiguredRuntime] {
  const [, name, path] = /^([^=]+)=(.+)$/s.exec(text) ?? []
  if (name === undefined || path === undefined)
    throw invalid(`--add-runtime ${JSON.stringify(text)}: want NAME=PATH`)
  return [name, { path, args: [] }]
}

function fileRuntime(name: string, value: unknown): ConfiguredRuntime {
  const key = `"runtimes": ${JSON.stringify(name)}`
  const { path, runtimeArgs, runtimeType, ...others } = Object.fromEntries(objectOf(value, key))
  if (runtimeType !== undefined && runtimeType !== '' && runtimeType !== OCI_TYPE)
    throw invalid(
      `${key}: runtimeType ${JSON.stringify(runtimeType)} is not here: only OCI runtimes, by their path`,
    )
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw invalid(`${key}: unknown key "${unknown}"`)
  if (typeof path !== 'string' || path === '') throw invalid(`${key}: "path" of an OCI runtime is missing`)
  const args: unknown = runtimeArgs ?? []
  if (!Array.isArray(args) || !args.every((one) => typeof one === 'string'))
    throw invalid(`${key}: "runtimeArgs" must be a list of strings`)
  return { path, args }
}

function objectOf(value: unknown, key: string): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value)
  throw invalid(`${key} must be an object`)
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CONFIG_INVALID' })
}

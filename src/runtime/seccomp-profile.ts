import { EngineError } from '#base/errors.ts'
import type { Seccomp, SeccompArgument, SeccompRule } from './oci-runtime-spec.ts'
import { seccompArchitectures } from './seccomp.ts'

/** Larger than any profile in use; they come from clients. */
const MAX_PROFILE = 4 * 1024 * 1024

/** What a profile's conditions are compared with. */
export interface SeccompMachine {
  readonly architecture: string
  /** Release as in uname(2). */
  readonly kernel: string
  readonly bounding: readonly string[]
}

/** Docker's profile format: the runtime-spec's, with architectures as a map and conditions on rules. */
interface Profile {
  readonly defaultAction?: string
  readonly defaultErrnoRet?: number
  readonly architectures?: readonly string[] | null
  readonly archMap?: readonly ArchitectureEntry[] | null
  readonly flags?: readonly string[] | null
  readonly listenerPath?: string
  readonly listenerMetadata?: string
  readonly syscalls?: readonly ProfileRule[] | null
}

interface ArchitectureEntry {
  readonly architecture?: string
  readonly subArchitectures?: readonly string[] | null
}

interface ProfileRule {
  readonly name?: string
  readonly names?: readonly string[] | null
  readonly action?: string
  readonly errnoRet?: number | null
  readonly args?: readonly Partial<SeccompArgument>[] | null
  readonly includes?: Condition | null
  readonly excludes?: Condition | null
}

interface Condition {
  readonly caps?: readonly string[] | null
  readonly arches?: readonly string[] | null
  readonly minKernel?: string
}

/** Translates the text of a profile for one container on one machine. */
export function customSeccomp(text: string, machine: SeccompMachine): Seccomp {
  const profile = parse(text)
  if (filled(profile.architectures) && filled(profile.archMap)) {
    throw invalid(
      `'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or 'archMap'`,
    )
  }
  const { defaultErrnoRet, listenerPath, listenerMetadata } = profile
  return {
    defaultAction: required(profile.defaultAction, 'defaultAction'),
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: architectures(profile, machine.architecture),
    ...(filled(profile.flags) ? { flags: profile.flags } : {}),
    ...(listenerPath ? { listenerPath } : {}),
    ...(listenerMetadata ? { listenerMetadata } : {}),
    syscalls: (profile.syscalls ?? []).filter((rule) => applies(rule, machine)).map(translate),
  }
}

function parse(text: string): Profile {
  if (text.length > MAX_PROFILE) throw invalid(`seccomp profile is larger than ${MAX_PROFILE} bytes`)
  let profile: unknown
  try {
    profile = JSON.parse(text)
  } catch (cause) {
    throw invalid(`Decoding seccomp profile failed: ${(cause as Error).message}`, cause)
  }
  if (typeof profile !== 'object' || profile === null || Array.isArray(profile)) {
    throw invalid('Decoding seccomp profile failed: not an object')
  }
  for (const [key, value] of Object.entries(profile)) {
    if (['syscalls', 'architectures', 'archMap', 'flags'].includes(key) && !isListOrNull(value)) {
      throw invalid(`Decoding seccomp profile failed: ${key} is not a list`)
    }
  }
  return profile
}

/** Only the running kernel's own entry counts: a map names many machines. */
function architectures(profile: Profile, architecture: string): readonly string[] {
  if (!filled(profile.archMap)) return profile.architectures ?? []
  const native = seccompArchitectures[architecture]?.[0]
  const entry = profile.archMap.find((candidate) => candidate.architecture === native)
  if (native === undefined || entry === undefined) return []
  return [native, ...(entry.subArchitectures ?? [])]
}

function applies({ includes, excludes }: ProfileRule, machine: SeccompMachine): boolean {
  if (excludes) {
    if (filled(excludes.arches) && excludes.arches.includes(machine.architecture)) return false
    if (filled(excludes.caps) && excludes.caps.some((name) => machine.bounding.includes(name))) return false
    if (excludes.minKernel && atLeast(machine.kernel, excludes.minKernel)) return false
  }
  if (includes) {
    if (filled(includes.arches) && !includes.arches.includes(machine.architecture)) return false
    if (filled(includes.caps) && !includes.caps.every((name) => machine.bounding.includes(name))) return false
    if (includes.minKernel && !atLeast(machine.kernel, includes.minKernel)) return false
  }
  return true
}

function translate(rule: ProfileRule): SeccompRule {
  if (rule.name && filled(rule.names)) {
    throw invalid(`'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'`)
  }
  const names = rule.name ? [rule.name] : (rule.names ?? [])
  if (!isListOrNull(names) || names.some((name) => typeof name !== 'string')) {
    throw invalid('Decoding seccomp profile failed: names of system calls must be strings')
  }
  return {
    names,
    action: required(rule.action, 'action'),
    ...(typeof rule.errnoRet === 'number' ? { errnoRet: rule.errnoRet } : {}),
    ...(filled(rule.args) ? { args: rule.args.map(translateArgument) } : {}),
  }
}

function translateArgument(argument: Partial<SeccompArgument>): SeccompArgument {
  const { index = 0, value = 0, valueTwo, op } = argument
  for (const number of [index, value, valueTwo ?? 0]) {
    if (typeof number !== 'number')
      throw invalid('Decoding seccomp profile failed: arguments must be numbers')
  }
  return { index, value, ...(valueTwo === undefined ? {} : { valueTwo }), op: required(op, 'op') }
}

/** Compares `6.18.0-1-amd64` with `4.8`: major, then minor. */
function atLeast(kernel: string, wanted: string): boolean {
  const [major, minor] = version(kernel)
  const [wantedMajor, wantedMinor] = version(wanted)
  return major === wantedMajor ? minor >= wantedMinor : major > wantedMajor
}

function version(text: string): [number, number] {
  const match = /^(\d+)\.(\d+)/.exec(text)
  if (!match) throw invalid(`invalid kernel version in seccomp profile: ${JSON.stringify(text)}`)
  return [Number(match[1]), Number(match[2])]
}

function required(value: string | undefined, field: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw invalid(`Decoding seccomp profile failed: ${field} is missing`)
}

function filled<T>(list: readonly T[] | null | undefined): list is readonly T[] {
  return list !== null && list !== undefined && list.length > 0
}

function isListOrNull(value: unknown): boolean {
  return value === null || value === undefined || Array.isArray(value)
}

function invalid(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'SECCOMP_PROFILE_INVALID', cause })
}

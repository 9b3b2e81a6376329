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
  checkShape(profile)
  return profile as Profile
}

/** Every place that is read as a list or an object is one, or null. */
function checkShape(profile: unknown): void {
  const { architectures: names, archMap, flags, syscalls } = object(profile, 'the profile')
  strings(names, 'architectures')
  strings(flags, 'flags')
  for (const entry of list(archMap, 'archMap')) {
    strings(object(entry, 'an entry of archMap')['subArchitectures'], 'subArchitectures')
  }
  for (const rule of list(syscalls, 'syscalls')) {
    const fields = object(rule, 'an entry of syscalls')
    strings(fields['names'], 'names')
    for (const argument of list(fields['args'], 'args')) object(argument, 'an entry of args')
    for (const name of ['includes', 'excludes']) {
      const condition = object(fields[name] ?? {}, name)
      strings(condition['caps'], 'caps')
      strings(condition['arches'], 'arches')
    }
  }
}

function object(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>
  }
  throw invalid(`Decoding seccomp profile failed: ${what} is not an object`)
}

function list(value: unknown, what: string): readonly unknown[] {
  if (value === null || value === undefined) return []
  if (Array.isArray(value)) return value as readonly unknown[]
  throw invalid(`Decoding seccomp profile failed: ${what} is not a list`)
}

function strings(value: unknown, what: string): void {
  if (list(value, what).every((item) => typeof item === 'string')) return
  throw invalid(`Decoding seccomp profile failed: ${what} is not a list of strings`)
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
  return {
    names: rule.name ? [required(rule.name, 'name')] : (rule.names ?? []),
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
  const match = /^(\d+)\.(\d+)/.exec(String(text))
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

function invalid(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'SECCOMP_PROFILE_INVALID', cause })
}

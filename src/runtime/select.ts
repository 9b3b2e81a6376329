import { EngineError } from '#base/errors.ts'
import type { RunResult } from '#os/helper.ts'

/** Runs a program to its end; a program that is not there rejects or exits with 126 or 127. */
type RunProgram = (argv: readonly string[]) => Promise<RunResult>

export interface SelectRuntimeOptions {
  readonly run: RunProgram
  /** Controllers of a v2 hierarchy beside v1 ones (Machine.hybridControllers). */
  readonly hybridControllers: readonly string[]
  /** This one or none. */
  readonly wanted?: WantedRuntime | undefined
}

export interface WantedRuntime {
  /** What it is called in the configuration; undefined: what it calls itself. */
  readonly name?: string | undefined
  /** A name for the search path (`crun`, `runc`), or absolute. */
  readonly path: string
}

export interface SelectedRuntime {
  readonly name: string
  /** What to execute: as it was wanted, or a name for the search path. */
  readonly path: string
  readonly version: string
  readonly timeNamespaces: boolean
  /** Why this one, as a sentence for the log. */
  readonly reason: string
  readonly warnings: readonly string[]
}

interface Candidate {
  readonly name: string
  readonly version: string
}

/** Faster and smaller first. */
export const STANDARD_NAMES: readonly string[] = ['crun', 'runc']

/** First release of each runc series without the hole; a series that is not listed is fixed only above the last. */
const RUNC_FIXES: readonly { readonly cve: string; readonly fixed: readonly string[] }[] = [
  {
    cve: 'CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881',
    fixed: ['1.2.8', '1.3.3', '1.4.0-rc.3'],
  },
  { cve: 'CVE-2026-41579', fixed: ['1.3.6', '1.4.3', '1.5.0'] },
]

/**
 * Finds the OCI runtime that works here. Fails with `unavailable` and the reason for every candidate when there is none.
 */
export async function selectRuntime({ wanted, ...options }: SelectRuntimeOptions): Promise<SelectedRuntime> {
  const refused: string[] = []
  const candidates: readonly WantedRuntime[] =
    wanted === undefined ? STANDARD_NAMES.map((path) => ({ path })) : [wanted]
  for (const { name, path } of candidates) {
    const found = await inspectRuntime(path, options)
    if (typeof found === 'string') {
      refused.push(`${path}: ${found}`)
      continue
    }
    return {
      ...found,
      name: name ?? found.name,
      path,
      reason: refused.length === 0 ? 'preferred and usable' : `the first that works (${refused.join('; ')})`,
      warnings: knownHoles(found),
    }
  }
  throw new EngineError(
    'unavailable',
    `no usable OCI runtime: ${refused.join('; ')}. Install crun or runc, or name one with --default-runtime`,
    { code: 'RUNTIME_UNAVAILABLE', details: { refused } },
  )
}

/** What a runtime says of itself, or why it cannot be used. */
export async function inspectRuntime(
  path: string,
  options: Omit<SelectRuntimeOptions, 'wanted'>,
): Promise<(Candidate & Pick<SelectedRuntime, 'timeNamespaces'>) | string> {
  const candidate = await probe(path, options.run)
  if (typeof candidate === 'string') return candidate
  return (
    obstacleFor(candidate, options) ?? {
      ...candidate,
      timeNamespaces: await supportsTimeNamespaces(path, options.run),
    }
  )
}

/** The candidate, or why it cannot be used. */
async function probe(path: string, run: RunProgram): Promise<Candidate | string> {
  let result: RunResult
  try {
    result = await run([path, '--version'])
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  if (result.code === 127) return 'not installed'
  if (result.code !== 0) return `--version ended with ${result.code}: ${result.stderr.trim()}`
  // Kata writes a colon; NVIDIA's words come before those of the runtime below it.
  const match = /^(\S+)\s+(?:version|:)\s+(\S+)/m.exec(result.stdout)
  if (!match) return `does not say its version: ${JSON.stringify(result.stdout.slice(0, 80))}`
  return { name: match[1] ?? '', version: match[2] ?? '' }
}

function obstacleFor(
  { name }: Candidate,
  { hybridControllers }: Pick<SelectRuntimeOptions, 'hybridControllers'>,
): string | undefined {
  if (name !== 'crun' || hybridControllers.length === 0) return undefined
  return `needs the cgroup v2 hierarchy to have no controllers while v1 is in use; it has ${hybridControllers.join(', ')}`
}

/** `features` is in runc since 1.1 and in crun since 1.8.6; who does not know it has no time namespaces either. */
async function supportsTimeNamespaces(path: string, run: RunProgram): Promise<boolean> {
  const { code, stdout } = await run([path, 'features'])
  if (code !== 0) return false
  try {
    const features = JSON.parse(stdout) as { readonly linux?: { readonly namespaces?: readonly string[] } }
    return features.linux?.namespaces?.includes('time') ?? false
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

function knownHoles({ name, version }: Candidate): string[] {
  if (name !== 'runc') return []
  return RUNC_FIXES.filter(({ fixed }) => isBelow(version, fixed)).map(
    ({ cve, fixed }) =>
      `runc ${version} is open to ${cve} unless your distribution has mended it: use ${fixed.join(', ')} or newer`,
  )
}

/** True when `version` is older than the fix of its own series, or than the oldest fix when its series has none. */
function isBelow(version: string, fixed: readonly string[]): boolean {
  const own = parseVersion(version)
  const fix = fixed.map(parseVersion).find(([major, minor]) => major === own[0] && minor === own[1])
  if (fix !== undefined) return compare(own, fix) < 0
  return compare(own, parseVersion(fixed.at(-1) ?? '0')) < 0
}

/** Major, minor, patch, release candidate (Infinity for a release). `+ds1` and the like say nothing about order. */
type Version = readonly [number, number, number, number]

function parseVersion(text: string): Version {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?(?:-rc\.?(\d+))?/.exec(text)
  const candidate = match?.[4] === undefined ? Infinity : Number(match[4])
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0), Number(match?.[3] ?? 0), candidate]
}

function compare(a: Version, b: Version): number {
  for (const [i, part] of a.entries()) {
    const other = b[i] ?? 0
    if (part !== other) return part < other ? -1 : 1
  }
  return 0
}

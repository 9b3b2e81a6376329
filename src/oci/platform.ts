import { EngineError } from '#base/errors.ts'

/** Operating system and processor of an image, in Go's names. OCI image-spec, image-index.md "platform". */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string | undefined
  readonly 'os.version'?: string | undefined
  readonly 'os.features'?: readonly string[] | undefined
}

/** Of an image, as its config says it. */
export function platformOf(config: {
  readonly os: string
  readonly architecture: string
  readonly variant?: string | null
  readonly 'os.version'?: string | null
}): Platform {
  const { os, architecture, variant } = config
  const version = config['os.version']
  return {
    architecture,
    os,
    ...(variant ? { variant } : {}),
    ...(version ? { 'os.version': version } : {}),
  }
}

const WORD = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/

/** Systems and processors that people may name alone (`--platform arm64`). */
const systems = new Set(['linux', 'windows', 'darwin', 'freebsd', 'netbsd', 'openbsd', 'wasi'])
const processors = new Set(
  '386 amd64 arm arm64 loong64 mips64 mips64le ppc64 ppc64le riscv64 s390x wasm'.split(' '),
)

const SYSTEM_COMPONENT = ['OS component', 'OSAndVersion specifier component'] as const

/** Parses `os/architecture[/variant]`, `os` or `architecture`; what is missing comes from the host. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/')
  const bad = parts.findIndex((part) => !WORD.test(part))
  if (bad !== -1) {
    const [component, rule] = bad === 0 ? SYSTEM_COMPONENT : ['component', 'platform specifier component']
    const [word, whole] = [parts[bad], text].map((one) => JSON.stringify(one))
    throw invalid(`${word} is an invalid ${component} of ${whole}: ${rule} must match "^[A-Za-z0-9_.-]+$"`)
  }

  const [first = '', second, third] = parts.map((part) => part.toLowerCase())
  if (parts.length > 3) throw invalid(`${JSON.stringify(text)}: cannot parse platform specifier`)
  if (second !== undefined) return normalizePlatform({ os: first, architecture: second, variant: third })

  const host = hostPlatform()
  const system = systemNames[first] ?? first
  if (systems.has(system)) return { ...host, os: system }
  const alone = normalizePlatform({ os: host.os, architecture: first })
  if (processors.has(alone.architecture)) return alone
  throw invalid(`${JSON.stringify(text)}: unknown operating system or architecture`)
}

/** `os/architecture[/variant]`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform
  return [os, architecture, ...(variant === undefined || variant === '' ? [] : [variant])].join('/')
}

/** The same platform in the names that images use: `x86_64` is `amd64`, `arm64/v8` is `arm64`. */
function normalizePlatform(platform: Platform): Platform {
  const [architecture, implied] = processorNames[platform.architecture] ?? [platform.architecture]
  const given = platform.variant === '' ? undefined : platform.variant
  const variant = normalizeVariant(architecture, given ?? implied)
  const { variant: _, ...rest } = platform
  return {
    ...rest,
    os: systemNames[platform.os] ?? platform.os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
  }
}

/** The platform this process runs on. */
export function hostPlatform(): Platform {
  const architecture = hostProcessors[process.arch] ?? process.arch
  return normalizePlatform({ os: 'linux', architecture, variant: architecture === 'arm' ? 'v7' : undefined })
}

/**
 * How well something built for `offered` runs on `wanted`: 0 is exactly that, greater is worse, undefined not at all.
 * A processor runs its older variants; a 64-bit one the 32-bit programs of its family.
 */
export function platformDistance(wanted: Platform, offered: Platform): number | undefined {
  const want = normalizePlatform(wanted)
  const offer = normalizePlatform(offered)
  if (want.os !== offer.os) return undefined
  const ladder = ladderOf(want)
  const at = ladder.indexOf(`${offer.architecture}/${offer.variant ?? ''}`)
  return at === -1 ? undefined : at
}

/** The entry for `wanted` that fits best; the earlier of equals. Entries without a platform fit only when alone. */
export function selectPlatform<T extends { readonly platform?: Platform | null | undefined }>(
  entries: readonly T[],
  wanted: Platform,
): T | undefined {
  let best: { readonly entry: T; readonly distance: number } | undefined
  for (const entry of entries) {
    const { platform } = entry
    if (platform === undefined || platform === null) continue
    const distance = platformDistance(wanted, platform)
    if (distance !== undefined && (best === undefined || distance < best.distance)) best = { entry, distance }
  }
  if (best !== undefined) return best.entry
  const [only] = entries
  return entries.length === 1 && (only?.platform === undefined || only.platform === null) ? only : undefined
}

/** What `wanted` can run, best first, as `architecture/variant`. */
function ladderOf(wanted: Platform): readonly string[] {
  const { architecture, variant } = wanted
  const older = (name: string, newest: number, oldest: number): string[] =>
    Array.from({ length: Math.max(newest - oldest + 1, 0) }, (_, i) => `${name}/v${newest - i}`)
  const level = variant === undefined ? undefined : Number(variant.slice(1))
  switch (architecture) {
    case 'amd64':
      return [...(level === undefined ? [] : older('amd64', level, 2)), 'amd64/', '386/']
    case 'arm64':
      return [...(variant === undefined ? [] : [`arm64/${variant}`]), 'arm64/', ...older('arm', 8, 5)]
    case 'arm':
      return older('arm', level ?? 7, 5)
    default:
      return [`${architecture}/${variant ?? ''}`]
  }
}

function normalizeVariant(architecture: string, variant: string | undefined): string | undefined {
  switch (architecture) {
    case 'amd64':
      return variant === 'v1' ? undefined : variant
    case 'arm64':
      return variant === '8' || variant === 'v8' ? undefined : variant
    case 'arm':
      if (variant === undefined) return 'v7'
      return /^[5-8]$/.test(variant) ? `v${variant}` : variant
    default:
      return variant
  }
}

const systemNames: Readonly<Record<string, string>> = { macos: 'darwin' }

const processorNames: Readonly<Record<string, readonly [name: string, variant?: string]>> = {
  i386: ['386'],
  i686: ['386'],
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
}

const hostProcessors: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle' }

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'PLATFORM_INVALID' })
}

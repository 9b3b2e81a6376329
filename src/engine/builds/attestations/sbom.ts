import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import type { BaseImage, DirectoryStep, Filesystem, RunStep, StepLabel } from '#build/graph/operations.ts'
import type { ResolvedImage } from '#build/graph/plan.ts'
import { formatPlatform, hostPlatform, type Platform } from '#oci/platform.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Predicate } from './attestation.ts'

const SOURCE = '/run/src/core/sbom'
const DESTINATION = '/run/out'
const SPDX = 'https://spdx.dev/Document'
/** Bytes of one document. */
const LARGEST = 64 << 20

/**
 * The step that lets a scanner look at what was built, by BuildKit's protocol for scanners: the image is run with the root
 * filesystem below BUILDKIT_SCAN_SOURCE, and leaves its documents in BUILDKIT_SCAN_DESTINATION.
 */
export function scanStep(scanner: ResolvedImage, target: Filesystem, platform: Platform): RunStep {
  const { config } = scanner.config
  const label: StepLabel = {
    name: `[sbom ${formatPlatform(platform)}] scan with ${scanner.reference}`,
    stage: 'sbom',
    instruction: `RUN ${scanner.reference}`,
    line: 0,
    args: {},
    uncached: false,
  }
  const on: BaseImage = { kind: 'image', name: scanner.reference, id: scanner.id, layers: scanner.layers }
  const place: DirectoryStep = { kind: 'directory', on, path: DESTINATION, user: '', label }
  return {
    kind: 'run',
    on: place,
    label,
    args: [...(config?.Entrypoint ?? []), ...(config?.Cmd ?? [])],
    env: [
      ...(config?.Env ?? []),
      `BUILDKIT_SCAN_SOURCE=${SOURCE}`,
      `BUILDKIT_SCAN_DESTINATION=${DESTINATION}`,
    ],
    proxyEnv: [],
    cwd: config?.WorkingDir || '/',
    user: config?.User ?? '',
    mounts: [{ type: 'bind', from: target, source: '/', target: SOURCE, readOnly: true }],
    scripts: [],
    network: 'none',
    security: 'sandbox',
    platform: hostPlatform(),
    hostname: 'sbom',
    extraHosts: [],
    limits: {},
  }
}

/** What a scanner has left in its layer; fails when it has left nothing. */
export async function scanned(
  layer: Digest | undefined,
  snapshots: Pick<Snapshots, 'tar'>,
  scanner: string,
): Promise<readonly Predicate[]> {
  const predicates: Predicate[] = []
  if (layer !== undefined) {
    for await (const { entry, data } of readTar(snapshots.tar(layer))) {
      if (entry.type !== 'file' || !/^run\/out\/[^/]+\.spdx\.json$/.test(entry.path)) continue
      if (entry.size > LARGEST) throw badScan(scanner, `${entry.path} has ${entry.size} bytes`)
      predicates.push(predicateOf(Buffer.concat(await Array.fromAsync(data)), scanner, entry.path))
    }
  }
  if (predicates.length === 0) throw badScan(scanner, `it has left no *.spdx.json in ${DESTINATION}`)
  return predicates
}

/** Scanners write a statement, whose subject is ours to say, or the bare document. */
function predicateOf(bytes: Uint8Array, scanner: string, path: string): Predicate {
  const parsed = parse(bytes)
  if (parsed === undefined) throw badScan(scanner, `${path} is no JSON document`)
  const { predicateType, predicate } = parsed
  return typeof predicateType === 'string'
    ? { type: predicateType, content: predicate }
    : { type: SPDX, content: parsed }
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return typeof parsed === 'object' && parsed !== null
      ? (parsed as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined // told by the caller, with the name of the file
  }
}

function badScan(scanner: string, why: string): EngineError {
  return new EngineError('invalid_argument', `SBOM scanner ${scanner}: ${why}`, {
    code: 'BUILD_SCAN_FAILED',
    details: { scanner },
  })
}

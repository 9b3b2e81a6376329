/**
 * What a step is, as digests: equal keys mean equal results. Every field counts unless it is named here, so that one that is
 * added to an operation can be forgotten by nobody (CVE-2024-24557 was such a field).
 */
import { type Digest, digestOf } from '#base/digest.ts'
import type {
  BaseImage,
  ContextOrigin,
  CopyStep,
  DirectoryStep,
  DownloadOrigin,
  FileOrigin,
  Filesystem,
  GitOrigin,
  RunMount,
  RunStep,
  Scratch,
} from '../graph/operations.ts'
import { encode } from './encoding.ts'

export type Step = RunStep | CopyStep | DirectoryStep

/** Files that did not come of a step. */
export type ExternalOrigin = ContextOrigin | DownloadOrigin | GitOrigin

/** For people, or for the machine that does the step; and what has a place of its own in keys. */
const apart = ['kind', 'on', 'label', 'limits', 'proxyEnv'] as const

/** Changes when what a key stands for changes: no result of before is found then. */
const VERSION = 1

export function isStep(node: FileOrigin): node is Step {
  return node.kind === 'run' || node.kind === 'copy' || node.kind === 'directory'
}

export function isFilesystem(origin: FileOrigin): origin is Filesystem {
  return isStep(origin) || origin.kind === 'image' || origin.kind === 'scratch'
}

/** Where a step takes files from, in order, one for each source or mount that has one. */
function originsOf(step: Step): FileOrigin[] {
  if (step.kind === 'directory') return []
  if (step.kind === 'copy')
    return step.sources.flatMap((source) => (source.type === 'files' ? source.from : []))
  return step.mounts.flatMap((mount) => originOfMount(mount) ?? [])
}

/** Filesystems that must be there before the step can be done, besides the one that it stands on. */
export function takenFilesystems(step: Step): Filesystem[] {
  return [...new Set(originsOf(step).filter(isFilesystem))]
}

/** Its layer is the same wherever it is put: only `COPY --link`, and not with a name that is looked up below. */
export function isIndependent(step: Step): boolean {
  return step.kind === 'copy' && step.link && (step.owner === undefined || /^\d*(?::\d*)?$/.test(step.owner))
}

/** Says by itself which files it has: they need not be looked at. */
export function isPinned(origin: ExternalOrigin): boolean {
  if (origin.kind === 'download') return origin.checksum !== undefined
  return origin.kind === 'git' && COMMIT.test(origin.ref ?? '')
}

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

export function keyOfScratch(_scratch: Scratch): Digest {
  return digestOf(encode(['scratch', VERSION]))
}

export function keyOfImage({ id, layers }: BaseImage): Digest {
  return digestOf(encode(['image', VERSION, id, layers]))
}

/** Each list is asked for several times, by all that stands on it. */
const keysOfLayers = new WeakMap<readonly Digest[], Digest>()

/** What is below, in one digest. */
export function keyOfLayers(layers: readonly Digest[]): Digest {
  const known = keysOfLayers.get(layers)
  if (known !== undefined) return known
  const key = digestOf(encode(['layers', VERSION, layers]))
  keysOfLayers.set(layers, key)
  return key
}

/** The step's own fields as text, without what is below and without what its origins are. For explanations, too. */
export function fieldsOf(step: Step): string {
  return encode(ownFields(step), (value) => (isOrigin(value) ? { as: 'files' } : undefined))
}

/** `taken`: of files that are in no filesystem of the graph. */
export function definitionKey(
  step: Step,
  inputs: {
    readonly definitionOf: (filesystem: Filesystem) => Digest
    readonly taken: Digest | undefined
  },
): Digest {
  const below = isIndependent(step) ? null : inputs.definitionOf(step.on)
  const text = encode(
    ['definition', VERSION, step.kind, ownFields(step), below, inputs.taken ?? null],
    (value) => {
      if (!isOrigin(value)) return undefined
      return { as: isFilesystem(value) ? ['filesystem', inputs.definitionOf(value)] : Object.entries(value) }
    },
  )
  return digestOf(text)
}

/** `layers` of what it stands on, `taken` of all files that it takes, wherever they came from. */
export function contentKey(
  step: Step,
  inputs: { readonly layers: readonly Digest[]; readonly taken: Digest | undefined },
): Digest {
  const below = isIndependent(step) ? null : keyOfLayers(inputs.layers)
  return digestOf(encode(['content', VERSION, step.kind, fieldsOf(step), below, inputs.taken ?? null]))
}

function originOfMount(mount: RunMount): FileOrigin | undefined {
  return mount.type === 'bind' || mount.type === 'cache' ? mount.from : undefined
}

function ownFields(step: Step): object {
  return Object.fromEntries(Object.entries(step).filter(([name]) => !apart.some((each) => each === name)))
}

const originKinds = new Set(['scratch', 'image', 'run', 'copy', 'directory', 'context', 'download', 'git'])

function isOrigin(value: object): value is FileOrigin {
  return 'kind' in value && typeof value.kind === 'string' && originKinds.has(value.kind)
}

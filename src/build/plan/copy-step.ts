import { type Digest, isDigest } from '#base/digest.ts'
import { expandInstruction } from '../dockerfile/expand-instruction.ts'
import { locating, SyntaxFailure } from '../dockerfile/failure.ts'
import { parseFileMode } from '../dockerfile/file-mode.ts'
import { cleanPath } from '../dockerfile/ignore.ts'
import type { Add, Copy } from '../dockerfile/instruction.ts'
import { downloadName } from '../graph/download-name.ts'
import { type GitAddress, parseGitAddress } from '../graph/git-address.ts'
import type { CopySource, CopyStep, FileOrigin, GitOrigin } from '../graph/operations.ts'
import { checkDocumentName } from './document-name.ts'
import { transferText } from './history-text.ts'
import { labelOf, type Placed, type StageState } from './stage-state.ts'
import { stepText, targetOf } from './step-text.ts'

/** COPY or ADD: its layer and its entry of history. `origin` finds what `--from` names. */
export async function addCopy(
  state: StageState,
  placed: Placed<Copy | Add>,
  origin: (name: string) => Promise<FileOrigin>,
): Promise<void> {
  const { file } = placed
  const instruction = expandInstruction(file, placed.instruction, state.scope.lookup)
  const from =
    instruction.kind === 'copy' && instruction.from !== undefined
      ? await origin(instruction.from)
      : ({ kind: 'context', name: 'context' } as const)
  const { destination, documents, chown, chmod, link, parents, exclude } = instruction
  const step = locating(file.source, placed.instruction.range, (): CopyStep => {
    for (const { name } of documents) checkDocumentName(name)
    return {
      kind: 'copy',
      on: state.filesystem,
      label: labelOf(state, placed, state.names.next(stepText(state, placed), targetOf(state))),
      sources: [
        ...instruction.sources.map((source) => sourceOf(instruction, source, from)),
        ...documents.map(({ name, content }): CopySource => ({ type: 'document', name, content })),
      ],
      destination: destinationOf(state.draft.workdir, destination),
      owner: chown || undefined,
      mode: chmod === undefined || chmod === '' ? undefined : parseFileMode(chmod),
      link,
      parents,
      exclude,
    }
  })
  state.filesystem = step
  const names = documents.map(({ name }) => name)
  const flags = { chown: chown || undefined, chmod: chmod || undefined }
  const { kind, sources } = instruction
  state.draft.add(transferText({ kind, ...flags, sources, documents: names, destination }), step)
}

/** Absolute; a slash at its end is kept, and said for `.` and nothing. */
function destinationOf(workdir: string, destination: string): string {
  const path = cleanPath(destination.startsWith('/') ? destination : `${workdir}/${destination}`)
  const directory = /(?:^|\/)\.?$/.test(destination)
  return directory && path !== '/' ? `${path}/` : path
}

function sourceOf(instruction: Copy | Add, source: string, from: FileOrigin): CopySource {
  const git = parseGitAddress(source)
  const isUrl = git === undefined && /^https?:\/\//i.test(source)
  if (instruction.kind === 'copy') {
    const hint = 'ADD takes what is elsewhere.'
    if (git !== undefined) throw new SyntaxFailure("source can't be a git ref for COPY", { hint })
    if (isUrl) throw new SyntaxFailure("source can't be a URL for COPY", { hint })
    return { type: 'files', from, pattern: patternOf(source, instruction.parents), unpack: 'never' }
  }
  const { checksum, unpack } = instruction
  if (git !== undefined)
    return { type: 'files', from: gitOrigin(instruction, git), pattern: '.', unpack: 'never' }
  if (isUrl) {
    const download = { kind: 'download', url: source, checksum: digestOf(checksum) } as const
    // What an address has in its name means nothing as a pattern.
    const pattern = downloadName(source).replaceAll(/[\\*?[]/g, String.raw`\$&`)
    return { type: 'files', from: download, pattern, unpack: unpack === true ? 'auto' : 'never' }
  }
  if (checksum !== undefined)
    throw new SyntaxFailure('checksum requires HTTP(S) or Git sources', {
      hint: 'Files of the context are known by their content already; leave --checksum out.',
    })
  const pattern = patternOf(source, instruction.parents)
  return { type: 'files', from, pattern, unpack: unpack === false ? 'never' : 'auto' }
}

/** Relative to the origin's root, which nothing leaves; with `parents` the pivot `/./` stays. */
function patternOf(source: string, parents: boolean): string {
  const pivot = parents ? source.indexOf('/./') : -1
  if (pivot === -1) return inside(source)
  const [before, after] = [inside(source.slice(0, pivot)), inside(source.slice(pivot + 3))]
  return before === '.' ? `./${after}` : `${before}/./${after}`
}

function inside(path: string): string {
  return cleanPath(`/${path}`).slice(1) || '.'
}

function gitOrigin({ checksum, keepGitDir }: Add, address: GitAddress): GitOrigin {
  const { remote, ref, directory, keepGitDirectory = false, submodules = true } = address
  if (checksum !== undefined && !/^[0-9a-f]+$/.test(checksum))
    throw new SyntaxFailure('invalid checksum for a git source', {
      hint: 'It is a commit, or its beginning.',
    })
  if (checksum !== undefined && address.checksum !== undefined && checksum !== address.checksum)
    throw new SyntaxFailure('the checksums of --checksum and of the address differ')
  return {
    kind: 'git',
    remote,
    ref,
    directory,
    checksum: checksum ?? address.checksum,
    keepGitDirectory: keepGitDir || keepGitDirectory,
    submodules,
  }
}

function digestOf(checksum: string | undefined): Digest | undefined {
  if (checksum === undefined || isDigest(checksum)) return checksum
  throw new SyntaxFailure('invalid checksum digest format', {
    hint: 'A checksum of a download is sha256: and 64 hexadecimal digits.',
  })
}

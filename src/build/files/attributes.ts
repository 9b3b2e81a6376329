import { type FileMode, applyFileMode } from '../dockerfile/file-mode.ts'
import type { Described, DraftFile } from './draft.ts'
import type { BelowFile } from './files-below.ts'
import type { Owner } from './owner.ts'

/** What a step says of all that it writes. */
export interface Marks {
  /** Undefined: files keep their own. */
  readonly owner: Owner | undefined
  readonly mode: FileMode | undefined
}

/** As `file` is, but for owner and mode. Times are whole seconds, as in every builder's layers: each fraction would take a KiB. */
export function describe(
  file: Omit<BelowFile, 'path' | 'type'> & { readonly type: BelowFile['type'] },
  { owner, mode }: Marks,
): Described {
  const { type, size, link, major, minor } = file
  const xattrs = keptXattrs(file.xattrs)
  return {
    mode: type === 'symlink' ? 0o777 : modeOf(file.mode, mode, type === 'directory'),
    uid: owner?.uid ?? file.uid,
    gid: owner?.gid ?? file.gid,
    mtime: { seconds: file.mtime.seconds, nanoseconds: 0 },
    size: type === 'file' ? size : 0,
    ...(link === undefined ? {} : { link }),
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
    ...(xattrs === undefined ? {} : { xattrs }),
  }
}

/** A directory that the step makes because something is to be put into it; changes of modes are for what is copied. */
export function madeDirectory({ owner, mode }: Marks): Described {
  const { uid, gid } = owner ?? { uid: 0, gid: 0 }
  return { mode: mode?.type === 'octal' ? mode.mode : 0o755, uid, gid, mtime: undefined, size: 0 }
}

/** A heredoc. */
export function documentFile(content: string, { owner, mode }: Marks): DraftFile {
  const { uid, gid } = owner ?? { uid: 0, gid: 0 }
  const bytes = Buffer.from(content)
  const attributes = { mode: modeOf(0o644, mode, false), uid, gid, mtime: undefined, size: bytes.length }
  return { kind: 'file', type: 'file', attributes, read: () => [bytes] }
}

function modeOf(current: number, mode: FileMode | undefined, directory: boolean): number {
  return mode === undefined ? current & 0o7777 : applyFileMode(mode, current, directory)
}

/** Without those that would steer overlayfs. */
function keptXattrs(xattrs: BelowFile['xattrs']): BelowFile['xattrs'] {
  if (xattrs === undefined) return undefined
  const kept = [...xattrs].filter(([name]) => !/^(?:trusted|user)\.overlay\./.test(name))
  return kept.length === 0 ? undefined : new Map(kept)
}

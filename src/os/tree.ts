/**
 * File trees inside a container's view of the world, as record streams: what `berth-tree` speaks (native/PROTOCOL.md §3).
 */
export interface TreeRecord {
  readonly type: 'directory' | 'file' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo' | 'whiteout'
  /** Relative, without leading `/` or `./`. */
  readonly path: string
  /** Permission bits including setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number }
  readonly size: number
  /** Target of a symlink, or path of the earlier record of a hard link. */
  readonly link?: string
  readonly major?: number
  readonly minor?: number
  readonly opaque?: boolean
  readonly xattrs?: ReadonlyMap<string, Uint8Array>
}

/** A record and, for a file, exactly `record.size` bytes; `data` must be consumed before the next entry is asked for. */
export interface TreeEntry {
  readonly record: TreeRecord
  readonly data: AsyncIterable<Uint8Array>
}

/** Where a tree is seen from. */
export type TreeRoot =
  /** The mount namespace of a running process, below `root`. */
  | { readonly join: number; readonly root: string }
  /** A stopped container: its overlay and volumes, mounted for this operation only, in the helper's namespace. */
  | {
      readonly join: number
      readonly overlay: { readonly lower: readonly string[]; readonly upper: string; readonly work: string }
      readonly binds: readonly {
        readonly source: string
        readonly destination: string
        readonly readOnly: boolean
      }[]
    }
  /** A plain directory of the host. */
  | { readonly directory: string }

export interface ReadTreeOptions {
  readonly follow?: boolean
  readonly upperDir?: boolean
  readonly oneFileSystem?: boolean
  readonly name?: string
  /** `false`: records alone, without the bytes of files. */
  readonly data?: boolean
  readonly signal?: AbortSignal | undefined
}

export interface WriteTreeOptions {
  readonly noReplace?: boolean
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  readonly layer?: boolean
  readonly signal?: AbortSignal | undefined
}

export interface Trees {
  /** `not_found` when `path` is not there. Paths are resolved inside the root, race-free (openat2 RESOLVE_IN_ROOT). */
  stat(root: TreeRoot, path: string, options?: { readonly follow?: boolean }): Promise<TreeRecord>
  read(root: TreeRoot, path: string, options?: ReadTreeOptions): AsyncIterable<TreeEntry>
  write(
    root: TreeRoot,
    path: string,
    entries: AsyncIterable<TreeEntry>,
    options?: WriteTreeOptions,
  ): Promise<void>
}

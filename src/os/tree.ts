import type { FileAttributes, TarType } from '#oci/tar/entry.ts'

/**
 * File trees inside a container's view of the world, as record streams: what `berth-tree` speaks (native/PROTOCOL.md §3).
 */
export interface TreeRecord extends FileAttributes {
  readonly type: TarType | 'whiteout'
  /** Bytes that are not UTF-8 are lone surrogates U+DC80 to U+DCFF (see `textOfBytes` in tree-records.ts). */
  readonly path: string
  readonly opaque?: boolean
}

/** A record and, for a file, exactly `record.size` bytes; what is not consumed of `data` before the next entry is asked for is skipped. */
export interface TreeEntry {
  readonly record: TreeRecord
  readonly data: AsyncIterable<Uint8Array>
}

/** Where a tree is seen from. */
export type TreeRoot =
  /** The mount namespace of a running process, below `root`. */
  | {
      readonly join: number
      /** Field 22 of /proc/PID/stat: a process that has taken the number over is refused with `internal` (ESRCH). */
      readonly startTime?: string | undefined
      readonly root: string
    }
  /** A stopped container: its overlay and volumes, mounted for this operation only, in the helper's namespace. */
  | {
      readonly join: number
      readonly overlay: { readonly lower: readonly string[]; readonly upper: string; readonly work: string }
      readonly binds: readonly {
        readonly source: string
        readonly destination: string
        readonly readOnly: boolean
        /** Relative path below the source, which no symlink leads out of. */
        readonly below?: string | undefined
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
  /** Refuse to replace a directory by a non-directory or the other way round: `invalid_argument`. */
  readonly noReplace?: boolean
  /** Owner of everything written, instead of the records' own. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /**
   * The target becomes an overlay layer: whiteouts become 0:0 devices and no symlink is followed. Otherwise whiteouts
   * delete, opaque directories are emptied, and symlinks on the way are followed inside the root.
   */
  readonly layer?: boolean
  /** Blocks of zeros become holes. */
  readonly sparse?: boolean
  /**
   * Contents of files are those of the same path below this directory, in the namespace of the root: shared blocks where the
   * filesystem can, else copied by the kernel, holes as holes. The entries' data are not looked at; a file that is gone
   * is left out.
   */
  readonly contentsFrom?: string
  readonly signal?: AbortSignal | undefined
}

export interface Trees {
  /** `not_found` when `path` is not there, `invalid_argument` for a socket, which no tree holds. Paths are resolved inside the root, race-free (openat2 RESOLVE_IN_ROOT). */
  stat(root: TreeRoot, path: string, options?: { readonly follow?: boolean }): Promise<TreeRecord>
  /** Parents before children, names in byte order, hard links after their first name. */
  read(root: TreeRoot, path: string, options?: ReadTreeOptions): AsyncIterable<TreeEntry>
  /**
   * Writes entries below the existing directory `path`. Missing parents are made, 0755. Directories are merged, all else
   * is replaced. A hostile record (`..`, absolute, data where none can be) is `invalid_argument`. Not atomic: an error or
   * an abort leaves what has been written.
   */
  write(
    root: TreeRoot,
    path: string,
    entries: AsyncIterable<TreeEntry>,
    options?: WriteTreeOptions,
  ): Promise<void>
}

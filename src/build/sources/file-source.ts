/**
 * A tree of files that COPY and ADD read and RUN binds: a build context, the layers of a stage or image, a git checkout, a
 * download. It does not change while it is open.
 */
import type { Digest } from '#base/digest.ts'
import type { FileAttributes, TarType } from '#oci/tar/entry.ts'
import type { TreeRoot } from '#os/tree.ts'

export interface SourceFile {
  /** Path relative to the root of the source, in the encoding of tree records. */
  readonly attributes: FileAttributes & { readonly type: TarType }
  /** SHA-256 of the content of a regular file; of an empty one for all else. Cheap where it is known from before. */
  digest(signal?: AbortSignal): Promise<Digest>
  /** The content; `data_loss` when it is no longer what `attributes` or a digest that was told says. */
  read(): AsyncIterable<Uint8Array>
}

export interface FileSource extends AsyncDisposable {
  /** For messages: `build context`, `stage build`. */
  readonly name: string
  /** Of a stage or an image: what it consists of, bottom first. */
  readonly layers?: readonly Digest[] | undefined
  /**
   * All files at and below `path` (relative, clean, `''` for the root): a directory before what is in it, names in byte order;
   * symlinks as they are, hard links as such after the first name that the walk has given. Nothing when it is not there. `descend`
   * false for a directory leaves out what is below it.
   */
  walk(path: string, options?: WalkOptions): AsyncIterable<SourceFile>
  /**
   * The file at `path`, symlinks on the way and at its end followed inside the root; its `path` says where that is. Undefined
   * when it is not there.
   */
  find(path: string): Promise<SourceFile | undefined>
  /**
   * Stands for all that `walk()` gives, without contents being looked at: equal states are equal files with equal contents. Undefined
   * where that cannot be said. What `only` is false for, directories aside, need not count.
   */
  state?(path: string, options?: StateOptions): Promise<Digest | undefined>
  /** The ignore file that leaves `path` out, there or not, for messages: `.dockerignore`. */
  ignoredBy?(path: string): string | undefined
  /** Where it can be mounted from, as berth-tree and the shim see it; made if needed and kept until disposal. */
  root(): Promise<TreeRoot & MountableRoot>
}

export interface MountableRoot {
  /** Absolute path in the helper's mount namespace. */
  readonly path: string
}

export interface WalkOptions {
  readonly descend?: (directory: string) => boolean
  readonly signal?: AbortSignal | undefined
}

export interface StateOptions extends WalkOptions {
  readonly only?: (path: string) => boolean
}

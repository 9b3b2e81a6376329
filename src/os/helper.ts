/**
 * The long-lived native helper: every kernel call that would block the event loop or needs another namespace.
 * Protocol: native/PROTOCOL.md §1.
 *
 * Errors: EPERM and EACCES are `permission_denied`, ENOENT `not_found`, EEXIST, EBUSY and a lock that is held
 * `conflict`, ENOSPC and its like `resource_exhausted`, all else `internal`; a helper that is gone is `unavailable`.
 */
export interface Helper extends AsyncDisposable {
  /** For `/proc/PID/root` and for joining its mount namespace. */
  readonly pid: number

  /** Starts the shim for the container directory `dir`; its socket accepts connections when this resolves. */
  spawnShim(dir: string): Promise<{ readonly pid: number }>
  /**
   * Starts the resolver `program` for the directory `dir`, in the mount namespace of the daemon; its socket accepts
   * connections when this resolves.
   */
  spawnDns(dir: string, program: string): Promise<{ readonly pid: number }>
  /** Mounts a layer on `target`, which is made if needed. */
  mountErofs(index: string, tar: string, target: string): Promise<void>
  /** A read-only view of `lower` merged, topmost first, on `target`, which is made if needed. */
  mountView(target: string, lower: readonly string[]): Promise<void>
  /**
   * Gives the v2 cgroup hierarchy's hugetlb controller to a v1 hierarchy mounted in the helper's namespace alone,
   * so that crun accepts a hybrid machine; it goes back when the helper and its shims are gone.
   */
  mountCgroupHugetlb(): Promise<void>
  /**
   * Detaches the mount and removes the empty directory; what is not mounted or missing is success. No signal, since
   * a cancelled unmount is a leak.
   */
  unmount(target: string): Promise<void>
  /** A missing path is success. Follows no symlink and enters no mount. */
  removeTree(path: string): Promise<void>
  syncfs(path: string): Promise<void>
  /** Takes the file's exclusive lock for as long as the helper lives; `conflict` names the process that holds it. */
  lock(path: string): Promise<void>
  /** One mount(2) call; see VolumeMount. The target is made if needed. */
  mountVolume(target: string, mount: VolumeMount): Promise<void>
  /** What the process `pid` (of that start time) sees at `source`, with all below it, mounted at `target` too. */
  copyMount(
    process: { readonly pid: number; readonly startTime: string },
    source: string,
    target: string,
  ): Promise<void>
  /** Limits what an empty directory can hold, by the quota of `project`; 0 bytes: no limit. */
  limitSize(directory: string, project: number, bytes: number): Promise<void>
  /** Runs a short program to its end; a non-zero exit is a result, not an error. */
  run(argv: readonly string[], options?: { readonly stdin?: string }): Promise<RunResult>
  /** Who connected to a unix socket of the daemon, by its descriptor here (SO_PEERCRED). */
  peer(fd: number): Promise<PeerCredentials>
  /**
   * Connects to a port from within the network namespace of a process, at the first address that answers; resolves to
   * `connected`, or with a path to the first line of the answer to GET. Rejects with what went wrong, in few words.
   */
  probe(process: { readonly pid: number; readonly startTime: string }, target: ProbeTarget): Promise<string>
  /** `false` when that very process (by start time, field 22 of /proc/PID/stat) is gone. */
  kill(pid: number, startTime: string, signal: number): Promise<boolean>
}

export interface ProbeTarget {
  readonly port: number
  /** For HTTP. */
  readonly path?: string | undefined
  readonly addresses: readonly string[]
  /** Milliseconds for each step. */
  readonly timeout: number
}

/** As they were when the connection was made; the process may be gone. */
export interface PeerCredentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

/** The arguments of mount(2). */
export interface VolumeMount {
  readonly type: string
  readonly source: string
  /** MS_* bits. */
  readonly flags: number
  /** Options of the filesystem, with commas between them. */
  readonly data: string
}

export interface RunResult {
  /** Exit code, or 128 + n for a signal. */
  readonly code: number
  /** At most 1 MiB; the rest is cut off. */
  readonly stdout: string
  readonly stderr: string
}

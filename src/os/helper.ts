/**
 * The long-lived native helper: every kernel call that would block the event loop or needs another namespace.
 * Protocol: native/PROTOCOL.md §1.
 */
export interface Helper extends AsyncDisposable {
  /** For `/proc/PID/root` and for joining its mount namespace. */
  readonly pid: number

  /** Starts the shim for the container directory `dir`; its socket accepts connections when this resolves. */
  spawnShim(dir: string): Promise<{ readonly pid: number }>
  mountErofs(index: string, tar: string, target: string): Promise<void>
  mountView(target: string, lower: readonly string[]): Promise<void>
  /** Detaches the mount and removes the empty directory; no signal, since a cancelled unmount is a leak. */
  unmount(target: string): Promise<void>
  removeTree(path: string): Promise<void>
  syncfs(path: string): Promise<void>
  /** Runs a short program to its end; a non-zero exit is a result, not an error. */
  run(argv: readonly string[], options?: { readonly stdin?: string }): Promise<RunResult>
  /** `false` when that very process (by start time) is gone. */
  kill(pid: number, startTime: string, signal: number): Promise<boolean>
}

export interface RunResult {
  /** Exit code, or 128 + n for a signal. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

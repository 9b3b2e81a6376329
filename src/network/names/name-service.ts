/**
 * Names inside containers: a resolver at 127.0.0.11 in the network namespace of every container that is on a
 * user-defined network. It answers in a process of its own, so that names go on resolving while the daemon is down.
 *
 *     await names.attach(id, { pid }, resolver)      // before the container's first process runs
 *     await names.update(new Map([[id, resolver], …]))  // others came, went, or were renamed
 *     await names.detach(id)
 */
export interface NameService extends AsyncDisposable {
  /** Listens in the network namespace of process `pid` and answers as `resolver` says. Idempotent. */
  attach(id: string, namespace: { readonly pid: number }, resolver: Resolver): Promise<void>
  /** New answers for some containers, all at once; durable enough to outlive the daemon. */
  update(resolvers: ReadonlyMap<string, Resolver>): Promise<void>
  /** Idempotent; also ended by itself when the namespace is gone. */
  detach(id: string): Promise<void>
  /** At start: the containers it answers for, with their namespaces still there; whatever else it had is dropped. */
  adopt(ids: ReadonlySet<string>): Promise<ReadonlySet<string>>
}

/** What one container sees. */
export interface Resolver {
  /** Lower case, without a trailing dot: addresses in the order to be given (rotated between answers). */
  readonly names: ReadonlyMap<string, readonly string[]>
  /** Address to name, for PTR. */
  readonly pointers: ReadonlyMap<string, string>
  /**
   * Who is asked for everything else: the host's servers as they are at the time of the query, these servers from the
   * container's own namespace, or nobody (only internal networks).
   */
  readonly upstream: 'host' | readonly string[] | 'none'
}

import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EngineError, engineErrorOf } from '#base/errors.ts'
import { noting } from './noting.ts'
import { startProcess } from './process.ts'
import type { StartedProcess } from './process.ts'
import { decodeEntries, decodeRecord, encodeEntries } from './tree-records.ts'
import type { ReadTreeOptions, TreeEntry, TreeRecord, TreeRoot, Trees, WriteTreeOptions } from './tree.ts'

/**
 * Trees through `berth-tree`, one process per operation: it may enter a container's namespaces, which the daemon never
 * does. An aborted signal, an error or a consumer that stops kills it; nothing outlives the call.
 */
export class NativeTrees implements Trees {
  readonly #program: string

  constructor(buildDir: string) {
    this.#program = join(buildDir, 'berth-tree')
  }

  async stat(root: TreeRoot, path: string, options: { readonly follow?: boolean } = {}): Promise<TreeRecord> {
    const args = options.follow === true ? ['--follow'] : []
    await using operation = await this.#start('stat', root, path, args, undefined)
    operation.child.stdin.end()
    const record = await operation.guard(decodeRecord(operation.child.stdout))
    if (record === undefined) throw operation.failure('no record')
    return record
  }

  async *read(root: TreeRoot, path: string, options: ReadTreeOptions = {}): AsyncGenerator<TreeEntry> {
    const args = [
      ...flag('--follow', options.follow),
      ...flag('--upper-dir', options.upperDir),
      ...flag('--one-file-system', options.oneFileSystem),
      ...flag('--no-data', options.data === false),
      ...(options.name === undefined ? [] : ['--name', options.name]),
    ]
    await using operation = await this.#start('read', root, path, args, options.signal)
    operation.child.stdin.end()
    const entries = decodeEntries(operation.child.stdout, { data: options.data !== false })
    try {
      for (;;) {
        const next = await operation.guard(entries.next())
        if (next.done === true) return
        yield { record: next.value.record, data: operation.guardAll(next.value.data) }
      }
    } finally {
      await entries.return(undefined)
    }
  }

  async write(
    root: TreeRoot,
    path: string,
    entries: AsyncIterable<TreeEntry>,
    options: WriteTreeOptions = {},
  ): Promise<void> {
    const args = [
      ...flag('--no-replace', options.noReplace),
      ...flag('--layer', options.layer),
      ...flag('--sparse', options.sparse),
      ...(options.contentsFrom === undefined ? [] : ['--source', options.contentsFrom]),
      ...(options.owner === undefined ? [] : ['--owner', `${options.owner.uid}:${options.owner.gid}`]),
    ]
    await using operation = await this.#start('write', root, path, args, options.signal)
    const failures: unknown[] = []
    const encoded = encodeEntries(entries, { data: options.contentsFrom === undefined })
    const source = Readable.from(noting(encoded, failures), { objectMode: false })
    // A program that stops reading says itself why; a source that failed explains what the program says.
    const written = pipeline(source, operation.child.stdin).catch(() => undefined)
    try {
      await operation.guard(decodeRecord(operation.child.stdout))
    } catch (error) {
      throw failures.length > 0 ? failures[0] : error
    }
    await written
  }

  async #start(
    command: 'read' | 'write' | 'stat',
    root: TreeRoot,
    path: string,
    options: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Operation> {
    signal?.throwIfAborted()
    const absolute = path.startsWith('/') ? path : `/${path}`
    const child = await startProcess([this.#program, command, ...rootOptions(root), ...options, absolute])
    return new Operation(command, absolute, child, signal)
  }
}

/** One running `berth-tree`; disposing kills it if it is still there and waits for its end. */
class Operation implements AsyncDisposable {
  readonly child: StartedProcess
  readonly #command: string
  readonly #path: string
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: () => void
  #messages = ''

  constructor(command: string, path: string, child: StartedProcess, signal: AbortSignal | undefined) {
    this.child = child
    this.#command = command
    this.#path = path
    this.#signal = signal
    this.#onAbort = () => child.kill('SIGKILL')
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (signal?.aborted === true) this.#onAbort()
    // A program that has ended takes no more input; its reply or its status explains why.
    child.stdin.on('error', () => undefined)
    child.stderr.on('data', (chunk: Buffer) => {
      if (this.#messages.length < 4096) this.#messages += chunk.toString()
    })
  }

  /** The result, or the error with the operation's name; an abort comes before what it causes. */
  async guard<T>(result: Promise<T>): Promise<T> {
    try {
      return await result
    } catch (error) {
      this.#signal?.throwIfAborted()
      const known = engineErrorOf(error)
      if (known?.code !== 'SYSTEM_CALL_FAILED') {
        // Garbage instead of an end: it might go on for ever.
        if (!this.child.stdout.readableEnded) this.child.kill('SIGKILL')
        const { code } = await this.child.exited
        throw this.failure(`berth-tree ended with status ${code}: ${this.#messages.trim()}`, error)
      }
      throw new EngineError(kindOf(known), `${this.#command} ${known.message}`, {
        code: 'TREE_FAILED',
        details: { path: this.#path, ...known.details },
        cause: error,
      })
    }
  }

  async *guardAll(data: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const chunks = data[Symbol.asyncIterator]()
    for (;;) {
      const next = await this.guard(chunks.next())
      if (next.done === true) return
      yield next.value
    }
  }

  failure(what: string, cause?: unknown): EngineError {
    return new EngineError('internal', `${this.#command} ${this.#path}: ${what}`, {
      code: 'TREE_FAILED',
      cause,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.child.kill('SIGKILL')
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) stream.destroy()
    await this.child.exited
  }
}

/** In a tree a path that is no directory, or a hostile stream, is the asker's mistake. */
function kindOf(error: EngineError): EngineError['kind'] {
  switch (error.details['errno']) {
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
    case 'EBADMSG':
    case 'EOPNOTSUPP':
      return 'invalid_argument'
    case 'EROFS':
      return 'permission_denied'
    default:
      return error.kind
  }
}

function flag(name: string, value: boolean | undefined): readonly string[] {
  return value === true ? [name] : []
}

function rootOptions(root: TreeRoot): readonly string[] {
  if ('directory' in root) return ['--root', root.directory]
  if ('root' in root) {
    const process = root.startTime === undefined ? `${root.join}` : `${root.join}:${root.startTime}`
    return ['--join', process, '--root', root.root]
  }
  const { lower, upper, work } = root.overlay
  return [
    '--join',
    String(root.join),
    '--upper',
    upper,
    '--work',
    work,
    ...lower.flatMap((directory) => ['--lower', directory]),
    ...root.binds.flatMap(({ source, destination, readOnly, below }) => [
      readOnly ? '--bind-ro' : '--bind',
      source,
      destination,
      ...(below === undefined ? [] : ['--below', below]),
    ]),
  ]
}

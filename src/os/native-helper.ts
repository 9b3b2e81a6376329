import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { constants } from 'node:os'
import { EngineError } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { nativeError } from './errno.ts'
import type { Helper, RunResult, VolumeMount, PeerCredentials, ProbeTarget } from './helper.ts'
import { startProcess } from './process.ts'
import type { StartedProcess } from './process.ts'

/** Starts the helper for an existing directory `execRoot`; `buildDir` holds the native programs. */
export async function startHelper(options: {
  readonly execRoot: string
  readonly buildDir: string
  readonly logger: Logger
}): Promise<NativeHelper> {
  const program = join(options.buildDir, 'berth-helper')
  const child = await startProcess([program, options.execRoot, join(options.buildDir, 'berth-shim')])
  const helper = new NativeHelper(child, options.logger)
  try {
    await helper.ping()
  } catch (error) {
    await helper[Symbol.asyncDispose]()
    throw error
  }
  return helper
}

interface Pending {
  readonly operation: string
  readonly subject: string
  resolve(fields: readonly string[]): void
  reject(error: EngineError): void
}

/** The client of `berth-helper`: requests are numbered and may be answered in any order. native/PROTOCOL.md §1. */
export class NativeHelper implements Helper {
  readonly pid: number
  /** Resolves, with what to tell, when the helper has ended without being asked to: nothing can be done without it. */
  readonly lost: Promise<EngineError>
  readonly #lost = Promise.withResolvers<EngineError>()
  readonly #child: StartedProcess
  readonly #pending = new Map<number, Pending>()
  #next = 1
  #received: Buffer = Buffer.alloc(0)
  /** Set when the helper can no longer answer. */
  #gone: string | undefined
  #lastMessage = ''

  constructor(child: StartedProcess, logger: Logger) {
    this.pid = child.pid
    this.lost = this.#lost.promise
    this.#child = child
    child.stdout.on('data', (chunk: Buffer) => this.#receive(chunk))
    // Writing to a helper that has ended fails; `exited` says so to everybody who waits.
    child.stdin.on('error', (cause) => logger.debug('helper does not take requests', { cause }))
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#lastMessage = line
      logger.warn('helper', { line })
    })
    void child.exited.then(({ code }) => this.#end(code))
  }

  /** Resolves to the helper's version when it is ready. */
  async ping(): Promise<string> {
    return (await this.#call('ping', []))[0] ?? ''
  }

  async spawnShim(dir: string): Promise<{ readonly pid: number }> {
    const [pid] = await this.#call('spawn-shim', [dir])
    return { pid: Number(pid) }
  }

  async spawnDns(dir: string, program: string): Promise<{ readonly pid: number }> {
    const [pid] = await this.#call('spawn-dns', [dir, program])
    return { pid: Number(pid) }
  }

  async mountErofs(index: string, tar: string, target: string): Promise<void> {
    await this.#call('mount-erofs', [index, tar, target])
  }

  async mountView(target: string, lower: readonly string[]): Promise<void> {
    await this.#call('mount-view', [target, ...lower], target)
  }

  async mountCgroupHugetlb(): Promise<void> {
    await this.#call('mount-cgroup-hugetlb', [])
  }

  async unmount(target: string): Promise<void> {
    await this.#call('umount', [target])
  }

  async removeTree(path: string): Promise<void> {
    await this.#call('remove-tree', [path])
  }

  async syncfs(path: string): Promise<void> {
    await this.#call('syncfs', [path])
  }

  async lock(path: string): Promise<void> {
    await this.#call('lock', [path])
  }

  async mountVolume(target: string, { type, source, flags, data }: VolumeMount): Promise<void> {
    await this.#call('mount-volume', [target, type, source, String(flags), data], `${source} (${type})`)
  }

  async copyMount(
    { pid, startTime }: { readonly pid: number; readonly startTime: string },
    source: string,
    target: string,
  ): Promise<void> {
    await this.#call('copy-mount', [String(pid), startTime, source, target], source)
  }

  async limitSize(directory: string, project: number, bytes: number): Promise<void> {
    await this.#call('limit-size', [directory, String(project), String(bytes)], directory)
  }

  async run(argv: readonly string[], options: { readonly stdin?: string } = {}): Promise<RunResult> {
    const [status, stdout = '', stderr = ''] = await this.#call(
      'run',
      [options.stdin ?? '', ...argv],
      argv.join(' '),
    )
    const [how, number] = (status ?? '').split(' ')
    return { code: how === 'signal' ? 128 + Number(number) : Number(number), stdout, stderr }
  }

  async peer(fd: number): Promise<PeerCredentials> {
    const [pid, uid, gid] = await this.#call('peer', [String(fd)])
    return { pid: Number(pid), uid: Number(uid), gid: Number(gid) }
  }

  async probe(
    { pid, startTime }: { readonly pid: number; readonly startTime: string },
    { port, path = '', addresses, timeout }: ProbeTarget,
  ): Promise<string> {
    const milliseconds = String(Math.max(1, Math.ceil(timeout)))
    const fields = [String(pid), startTime, milliseconds, String(port), path, ...addresses]
    return (await this.#call('probe', fields, `port ${port}`))[0] ?? ''
  }

  async kill(pid: number, startTime: string, signal: number): Promise<boolean> {
    try {
      await this.#call('kill', [String(pid), startTime, String(signal)], String(pid))
      return true
    } catch (error) {
      if (error instanceof EngineError && error.details['errno'] === 'ESRCH') return false
      throw error
    }
  }

  /** Ends the helper; its mounts vanish with it unless a shim has copied them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#gone ??= 'the helper has been shut down'
    this.#child.stdin.end()
    await this.#child.exited
  }

  #call(
    operation: string,
    fields: readonly string[],
    subject = fields.join(' '),
  ): Promise<readonly string[]> {
    if (this.#gone !== undefined) return Promise.reject(unavailable(operation, subject, this.#gone))
    if (fields.some((field) => field.includes('\0'))) {
      const error = new EngineError('invalid_argument', `${operation} ${JSON.stringify(subject)}: NUL byte`, {
        code: 'INVALID_PATH',
      })
      return Promise.reject(error)
    }
    const id = this.#next
    this.#next = (this.#next + 1) >>> 0
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { operation, subject, resolve, reject })
      this.#child.stdin.write(encodeRequest(id, [operation, ...fields]))
    })
  }

  #receive(chunk: Buffer): void {
    const received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    let at = 0
    while (received.length - at >= 4) {
      const length = received.readUInt32LE(at)
      if (received.length - at - 4 < length) break
      this.#answer(received.subarray(at + 4, at + 4 + length))
      at += 4 + length
    }
    this.#received = received.subarray(at)
  }

  #answer(reply: Buffer): void {
    const id = reply.readUInt32LE(0)
    const errno = reply.readUInt32LE(4)
    const fields = reply.toString('utf8', 8).split('\0').slice(0, -1)
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    if (errno === 0) pending.resolve(fields)
    else pending.reject(failure(pending, errno, fields[0] ?? ''))
  }

  #end(code: number): void {
    const message = this.#lastMessage === '' ? '' : `: ${this.#lastMessage}`
    if (this.#gone === undefined) {
      this.#gone = `the helper (process ${this.pid}) ended with status ${code}${message}`
      this.#lost.resolve(new EngineError('unavailable', this.#gone, { code: 'HELPER_GONE' }))
    }
    for (const pending of this.#pending.values()) {
      pending.reject(unavailable(pending.operation, pending.subject, this.#gone))
    }
    this.#pending.clear()
  }
}

/** u32 length, u32 id, fields each ended by NUL. */
function encodeRequest(id: number, fields: readonly string[]): Buffer {
  const body = Buffer.from(fields.map((field) => `${field}\0`).join(''))
  const header = Buffer.alloc(8)
  header.writeUInt32LE(body.length + 4, 0)
  header.writeUInt32LE(id, 4)
  return Buffer.concat([header, body])
}

function failure({ operation, subject }: Pending, errno: number, text: string): EngineError {
  // A lock that is held is the one thing that the caller reads as it is.
  const held = operation === 'lock' && errno === constants.errno.EAGAIN
  return nativeError(errno, held ? text : `${operation} ${subject}: ${text}`, { operation })
}

function unavailable(operation: string, subject: string, why: string): EngineError {
  return new EngineError('unavailable', `${operation} ${subject}: ${why}`, { code: 'HELPER_GONE' })
}

/** A volume plugin as Docker describes them: volumes are directories; what it is asked is written down. */
import { mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { json } from 'node:stream/consumers'
import { machineDirectory } from './machine-directory.ts'

interface Request {
  readonly Name?: string
  readonly ID?: string
  readonly Opts?: Readonly<Record<string, string>> | null
}

export class VolumePluginServer implements AsyncDisposable {
  readonly #server: Server
  readonly #parent: Disposable
  readonly #socket: string
  readonly #directory: string
  /** Method and name of every call, without `VolumeDriver.`. */
  readonly calls: string[] = []
  /** Who has which volume mounted. */
  readonly users = new Map<string, Set<string>>()
  readonly volumes = new Map<string, Readonly<Record<string, string>>>()
  /** Answers with this error, by method. */
  readonly failing = new Map<string, string>()

  private constructor(socket: string, directory: string, parent: Disposable) {
    this.#parent = parent
    this.#socket = socket
    this.#directory = directory
    this.#server = createServer((request, response) => {
      void json(request).then((body) => {
        const method = (request.url ?? '').slice(1)
        const answer = this.#answer(method.replace('VolumeDriver.', ''), body as Request)
        response.writeHead('Err' in answer ? 500 : 200).end(JSON.stringify(answer))
      })
    })
  }

  static async start(socket: string, directory: string): Promise<VolumePluginServer> {
    const parent = machineDirectory(dirname(socket))
    const plugin = new VolumePluginServer(socket, directory, parent)
    plugin.#server.listen(socket)
    await once(plugin.#server, 'listening')
    return plugin
  }

  takeCalls(): string[] {
    return this.calls.splice(0)
  }

  #answer(method: string, { Name = '', ID = '', Opts }: Request): object {
    this.calls.push(`${method} ${Name}`.trim())
    const failure = this.failing.get(method)
    if (failure !== undefined) return { Err: failure }
    const known = this.volumes.has(Name)
    const users = this.users.get(Name) ?? new Set()
    const Mountpoint = join(this.#directory, Name)
    switch (method) {
      case 'Plugin.Activate':
        return { Implements: ['VolumeDriver'] }
      case 'Capabilities':
        return { Capabilities: { Scope: 'global' } }
      case 'Create':
        this.volumes.set(Name, Opts ?? {})
        mkdirSync(Mountpoint, { recursive: true })
        return {}
      case 'List':
        return { Volumes: [...this.volumes.keys()].map((each) => ({ Name: each, Mountpoint: '' })) }
    }
    if (!known) return { Err: `no volume ${Name}` }
    switch (method) {
      case 'Get':
        return { Volume: { Name, Mountpoint, Status: { users: users.size } } }
      case 'Path':
        return { Mountpoint }
      case 'Mount':
        this.users.set(Name, users.add(ID))
        return { Mountpoint }
      case 'Unmount':
        users.delete(ID)
        return {}
      case 'Remove':
        if (users.size > 0) return { Err: 'volume is mounted' }
        this.volumes.delete(Name)
        rmSync(Mountpoint, { recursive: true, force: true })
        return {}
      default:
        return { Err: `unknown ${method}` }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    rmSync(this.#socket, { force: true })
    this.#parent[Symbol.dispose]()
  }
}

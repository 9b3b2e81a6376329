/** A registry beside a test daemon, in its network namespace, that is told what to have and what to do wrong. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { NODE, type TestDaemon } from './daemon.ts'
import type { RegistryContents } from './registry-images.ts'
import type { Faults, Script, Statistics } from './scripted-registry-server.ts'

export class ScriptedRegistry implements AsyncDisposable {
  /** `127.0.0.1:PORT`; plain HTTP is taken from there. */
  readonly host: string
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, port: number) {
    this.#process = process
    this.host = `127.0.0.1:${port}`
  }

  static async start({ marks }: TestDaemon): Promise<ScriptedRegistry> {
    const program = join(import.meta.dirname, 'scripted-registry-server.ts')
    const child = spawn('nsenter', [`--net=/run/netns/${marks.netns}`, NODE, program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    const [{ port }] = (await once(child, 'message')) as [{ port: number }]
    return new ScriptedRegistry(child, port)
  }

  async holds({ blobs, manifests, tags }: RegistryContents): Promise<void> {
    const all = new Map(
      [...manifests].map(([digest, manifest]) => [digest as string, { ...manifest, digest }]),
    )
    for (const [tag, digest] of tags) all.set(tag, { ...manifests.get(digest)!, digest })
    const script: Script = { blobs, manifests: all }
    await this.#tell({ script })
  }

  /** What it does wrong from now on; it counts from the beginning. */
  async does(faults: Faults): Promise<void> {
    await this.#tell({ faults })
  }

  async statistics(): Promise<Statistics> {
    return this.#tell({ ask: 'statistics' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.disconnect()
    await ended
  }

  async #tell(message: object): Promise<Statistics> {
    const answered = once(this.#process, 'message')
    this.#process.send(message)
    const [statistics] = (await answered) as [Statistics]
    return statistics
  }
}

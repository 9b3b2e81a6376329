/**
 * A stand-in for Docker Hub: its host names by a hosts file, its certificates by an authority that "the system" trusts.
 * Both exist only in the mount namespaces of what `dress` starts; its addresses, which look public, only in the network
 * namespace of the test's daemon.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NODE, type TestDaemon } from '../daemon.ts'
import type { RegistryContents } from '../registry-images.ts'
import { TestAuthority } from '../test-authority.ts'
import type { HubRequest, HubRole, HubRules, HubSetup } from './hub-setup.ts'

/** TEST-NET-3, RFC 5737: nobody's. */
export const hubHosts: Readonly<Record<string, { readonly address: string; readonly role: HubRole }>> = {
  'registry-1.docker.io': { address: '203.0.113.10', role: 'registry' },
  'auth.docker.io': { address: '203.0.113.11', role: 'tokens' },
  'index.docker.io': { address: '203.0.113.12', role: 'index' },
  'docker.io': { address: '203.0.113.12', role: 'index' },
  'production.cloudflare.docker.com': { address: '203.0.113.13', role: 'cdn' },
}

/** Binds $1 over the hosts file and $2 over the trusted authorities, and becomes the rest. */
const DRESS = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/ssl/certs && shift 2 && exec "$@"'

export class Hub implements AsyncDisposable {
  readonly #directory: string
  #process: ChildProcess | undefined

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** `repositories` by full name, `library/debian`. */
  static async make(
    repositories: Readonly<Record<string, RegistryContents>>,
    accounts: Readonly<Record<string, string>> = {},
  ): Promise<Hub> {
    const hub = new Hub(await mkdtemp(join(tmpdir(), 'berth-hub-')))
    await using making = new AsyncDisposableStack()
    making.use(hub)
    await hub.#write(repositories, accounts)
    making.move()
    return hub
  }

  /** The command that runs `argv` where the hub is Docker Hub. Nothing else changes: the process is the same. */
  dress(...argv: readonly string[]): string[] {
    const at = (name: string): string => join(this.#directory, name)
    return ['unshare', '--mount', 'sh', '-c', DRESS, 'sh', at('hosts'), at('authorities'), ...argv]
  }

  /** From now on it is there, for what runs in the network of `daemon`. */
  async open(daemon: TestDaemon): Promise<void> {
    for (const address of new Set(Object.values(hubHosts).map((host) => host.address))) {
      const { code, stderr } = daemon.inside('ip', 'address', 'add', `${address}/32`, 'dev', 'lo')
      if (code !== 0) throw new Error(stderr)
    }
    const program = join(import.meta.dirname, 'hub-server.ts')
    const args = [`--net=/run/netns/${daemon.marks.netns}`, NODE, program, this.#directory]
    const child = spawn('nsenter', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#process = child
    await once(child, 'message', { signal: AbortSignal.timeout(20_000) })
  }

  /** Requests since it was asked before. */
  async requests(): Promise<readonly HubRequest[]> {
    return this.#tell({})
  }

  /** What it does from now on; counts begin anew. */
  async rules(rules: HubRules): Promise<void> {
    await this.#tell({ rules })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#process
    if (child?.connected === true) {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    }
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #tell(message: { readonly rules?: HubRules }): Promise<readonly HubRequest[]> {
    const child = this.#process
    if (child === undefined) throw new Error('the hub is not open')
    const answered = once(child, 'message')
    child.send(message)
    const [requests] = (await answered) as [readonly HubRequest[]]
    return requests
  }

  async #write(
    repositories: Readonly<Record<string, RegistryContents>>,
    accounts: Readonly<Record<string, string>>,
  ): Promise<void> {
    const at = (...names: readonly string[]): string => join(this.#directory, ...names)
    await using authority = await TestAuthority.make()
    const hosts = Object.entries(hubHosts)
    const certificate = await authority.issue(hosts.map(([name]) => `DNS:${name}`))
    for (const name of ['blobs', 'manifests', 'authorities']) await mkdir(at(name))
    await writeFile(
      at('hosts'),
      ['127.0.0.1 localhost', ...hosts.map(([name, { address }]) => `${address} ${name}`), ''].join('\n'),
    )
    await writeFile(at('authorities', 'ca-certificates.crt'), authority.cert)
    for (const { blobs, manifests } of Object.values(repositories)) {
      for (const [digest, bytes] of blobs) await writeFile(at('blobs', digest), bytes)
      for (const [digest, { bytes }] of manifests) await writeFile(at('manifests', digest), bytes)
    }
    const setup: HubSetup = {
      ...certificate,
      accounts,
      hosts: Object.values(hubHosts),
      repositories: Object.fromEntries(
        Object.entries(repositories).map(([name, contents]) => [name, referencesOf(contents)]),
      ),
    }
    await writeFile(at('setup.json'), JSON.stringify(setup))
  }
}

function referencesOf({ tags, manifests, blobs }: RegistryContents): HubSetup['repositories'][string] {
  const documents = [...manifests].map(([digest, { mediaType }]) => [digest, { digest, mediaType }] as const)
  const byDigest = Object.fromEntries(documents)
  const byTag = [...tags].map(([tag, digest]) => [tag, byDigest[digest]!] as const)
  return { manifests: { ...byDigest, ...Object.fromEntries(byTag) }, blobs: [...blobs.keys()] }
}

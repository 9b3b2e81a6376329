import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { RunConfig } from '#oci/image-spec.ts'
import { baseArchive } from './base-archive.ts'
import { differencesOf, readBuiltImage } from './built-image.ts'
import { type Result, TestDaemon } from './daemon.ts'
import { Peers } from './peers.ts'

/** Where the clients of others reach berth: in its own network. */
const HOST = 'tcp://127.0.0.1:2375'

/** berth and Docker's BuildKit in one network, with the same base images; what they build is compared. */
export class TwoBuilders implements AsyncDisposable {
  readonly daemon: TestDaemon
  readonly peers: Peers
  readonly #stack: AsyncDisposableStack

  private constructor(daemon: TestDaemon, peers: Peers, stack: AsyncDisposableStack) {
    this.daemon = daemon
    this.peers = peers
    this.#stack = stack
  }

  static async start(bases: Readonly<Record<string, RunConfig>>): Promise<TwoBuilders> {
    await using stack = new AsyncDisposableStack()
    const daemon = stack.use(await TestDaemon.start({ args: ['--host', HOST] }))
    const peers = stack.use(new Peers(daemon))
    for (const [name, config] of Object.entries(bases)) {
      writeFileSync(join(peers.here, 'base.tar'), await baseArchive(name, config))
      good(daemon.berth('load', '-i', join(peers.here, 'base.tar')))
      good(await peers.docker('load', '-i', `${peers.there}/base.tar`))
    }
    return new TwoBuilders(daemon, peers, stack.move())
  }

  /**
   * Builds what is in a directory below `peers.here`; `@` in the arguments is that directory. What differs, a line each; nothing
   * when both give the same image, or refuse it in the same words. With berth it is built by its own client and by Docker's.
   */
  async differences(context: string, args: readonly string[] = []): Promise<readonly string[]> {
    const name = basename(context)
    const theirContext = `${this.peers.there}/${name}`
    const shared = ['--network', 'none', '--provenance=false', '-t', `${name}:built`]
    const at = (where: string): string[] => [...args.map((arg) => arg.replaceAll('@', where)), where]
    const ours = this.daemon.berth('build', ...shared, ...at(context))
    const theirs = await this.peers.docker('buildx', 'build', ...shared, ...at(theirContext))
    const client = ['docker', '-H', HOST, 'build', ...shared, '-t', `${name}:front`, ...at(theirContext)]
    const front = this.peers.run(...client)
    if (ours.code !== 0 || theirs.code !== 0) return [...outcomes(ours, theirs), ...fronts(front, ours)]
    good(this.daemon.berth('save', '-o', join(this.peers.here, 'ours.tar'), `${name}:built`))
    good(await this.peers.docker('save', '-o', `${this.peers.there}/theirs.tar`, `${name}:built`))
    good(front)
    good(this.daemon.berth('save', '-o', join(this.peers.here, 'front.tar'), `${name}:front`))
    const [own, their, overProtocol] = await Promise.all(
      ['ours', 'theirs', 'front'].map((each) => readBuiltImage(join(this.peers.here, `${each}.tar`))),
    )
    if (own === undefined || their === undefined || overProtocol === undefined)
      throw new TypeError('three images')
    const known = differencesOf(own, their)
    const more = differencesOf(overProtocol, their).filter((line) => !known.includes(line))
    return [...known, ...more.map((line) => `by Docker's client: ${line}`)]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

function outcomes(ours: Result, theirs: Result): readonly string[] {
  const [a, b] = [outcome(ours), outcome(theirs)]
  return a === b ? [] : [`outcome: ${a}, BuildKit: ${b}`]
}

/** What berth says to Docker's client, beside what it says to its own. */
function fronts(front: Result, own: Result): readonly string[] {
  const [a, b] = [outcome(front), outcome(own)]
  return a === b ? [] : [`outcome by Docker's client: ${a}, by our own: ${b}`]
}

function outcome({ code, stderr }: Result): string {
  if (code === 0) return 'built'
  const message = /^ERROR: failed to build: failed to solve: (.*)$/m.exec(stderr)?.[1] ?? stderr
  // Their names of things inside are other ones each time.
  return message.replace(/ of ref [^"]*: (?=")/, ': ').replaceAll(/\/\S*\/merged\//g, '/')
}

/** What a command has written, or an error with what it has said. */
export function good({ code, stdout, stderr }: Result): string {
  if (code !== 0) throw new Error(stderr + stdout)
  return stdout
}

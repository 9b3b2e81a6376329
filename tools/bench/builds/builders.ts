/** Who builds: engines with nothing in them, each on a filesystem made for the run, that all read one directory in place. */
import { mkdtempSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { output, runProgram } from '../../run-program.ts'
import { berthFresh, dockerFresh, openPeers } from '../registry/engines.ts'
import { freshFilesystem } from '../registry/fresh-filesystem.ts'

const REPOSITORY = join(import.meta.dirname, '../../..')
/** The same directory, as this machine and as the peers see it. */
const [SHARE, SHARED] = ['/tmp/peers-share', '/share']
const { PEERS_DIR = '/var/tmp/peers' } = process.env
const INSIDE = ['nsenter', `--mount=${PEERS_DIR}/ns/mnt`, `--net=${PEERS_DIR}/ns/net`, '--wdns=/']

/** Otherwise buildah asks for more than a root without all capabilities may have. */
const LIMITS = ['--ulimit=nofile=1024:4096', '--ulimit=nproc=4096:4096']

/** The base image of what is built. */
export const BASE = 'berth-bench-base'

export interface Builder {
  /** What stands above its column. */
  readonly name: string
  /** The command that builds, to be followed by flags and the context's path. */
  readonly build: readonly string[]
  /** A path below the workshop's directory as this builder sees it. */
  seen(path: string): string
}

export interface Workshop extends AsyncDisposable {
  readonly builders: readonly Builder[]
  /** Where contexts are to be made. */
  readonly directory: string
}

/** Opens all builders with the base image in each. */
export async function openWorkshop(tool: string, base: string): Promise<Workshop> {
  await using opening = new AsyncDisposableStack()
  const peers = opening.use(await openPeers(tool))
  const directory = mkdtempSync(join(SHARE, 'bench-builds-'))
  opening.defer(() => rmSync(directory, { recursive: true, force: true }))
  const there = join(SHARED, basename(directory))
  const theirs = (path: string): string => path.replace(directory, there)

  const docker = opening.use(await dockerFresh(peers))
  await output([...docker.client, 'import', base, BASE])
  const dockerThere = [...INSIDE, 'env', `DOCKER_CONFIG=${there}/docker`]
  const dockerHost = ['docker', '-H', `unix://${SHARED}/bench.sock`]

  const buildah = opening.use(await buildahFresh(base, directory, there))

  const engine = opening.use(await berthFresh(peers))
  const berth = [join(REPOSITORY, 'bin/berth'), '-H', engine.client.at(-1) ?? '']
  await output([...berth, 'import', base, BASE])

  const acquired = opening.move()
  return {
    directory,
    builders: [
      {
        name: 'docker, BuildKit',
        build: [...dockerThere, ...dockerHost, 'buildx', 'build', '--progress=plain', '--provenance=false'],
        seen: theirs,
      },
      {
        name: 'docker, classic',
        build: [...dockerThere, 'DOCKER_BUILDKIT=0', ...dockerHost, 'build'],
        seen: theirs,
      },
      { name: 'buildah', build: [...buildah.client, 'build', '--layers', ...LIMITS], seen: theirs },
      { name: 'berth', build: [...berth, 'build', '--progress=plain'], seen: (path) => path },
    ],
    [Symbol.asyncDispose]: () => acquired.disposeAsync(),
  }
}

/** buildah with a store of its own; a program without a daemon. */
async function buildahFresh(
  base: string,
  directory: string,
  there: string,
): Promise<AsyncDisposable & { readonly client: readonly string[] }> {
  await using made = new AsyncDisposableStack()
  const image = { run: INSIDE, file: `${SHARED}/bench-buildah.img` }
  made.use(await freshFilesystem(`${SHARE}/bench-buildah.img`, '/bench-buildah', image))
  const client = [...INSIDE, 'buildah', '--root=/bench-buildah/storage', '--runroot=/run/bench-buildah']
  made.defer(async () => {
    await runProgram([...client, 'rm', '--all'])
    await runProgram([...INSIDE, 'umount', '/bench-buildah/storage/overlay'])
  })
  await output(['cp', base, join(directory, 'base.tar')])
  await output([...client, 'from', '--name=base', 'scratch'])
  await output([...client, 'add', '--quiet', 'base', join(there, 'base.tar'), '/'])
  await output([...client, 'config', '--env=PATH=/bin:/usr/bin', '--cmd=sh', 'base'])
  await output([...client, 'commit', '--quiet', '--rm', 'base', BASE])
  const acquired = made.move()
  return { client, [Symbol.asyncDispose]: () => acquired.disposeAsync() }
}

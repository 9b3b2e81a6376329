/**
 * The corpus: a directory per Dockerfile in build-corpus, which is its own context, with `setup.sh` for files that git does not
 * keep and `args` for the command line (`@` is the context); http://127.0.0.1:8099/NAME has its files, too. Each is built by berth, for its own
 * client and for Docker's, and by Docker's BuildKit, and the images are compared: configuration, history, what each layer does, and the tree in the end; or what is said of a Dockerfile that
 * cannot be built. What may differ stands with its reason in
 * build-corpus/differences.json. BERTH_CORPUS=NAME,NAME builds only these.
 */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { RunConfig } from '#oci/image-spec.ts'
import { FileServer } from '#test/support/file-server.ts'
import { missingPeers } from '#test/support/peers.ts'
import { good, TwoBuilders } from '#test/support/two-builders.ts'

const CORPUS = join(import.meta.dirname, 'build-corpus')
const wanted = process.env['BERTH_CORPUS']?.split(',')
const cases = readdirSync(CORPUS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && wanted?.includes(entry.name) !== false)
  .map(({ name }) => name)

interface Difference {
  /** Matches lines of differences. */
  readonly line: string
  readonly why: string
}

const differences = JSON.parse(readFileSync(join(CORPUS, 'differences.json'), 'utf8')) as Readonly<
  Record<string, readonly Difference[]>
>

/** Bases: plain, and one with all that a child can inherit. */
const BASES: Readonly<Record<string, RunConfig>> = {
  bb: { Env: ['PATH=/bin:/usr/bin'], Cmd: ['sh'] },
  ob: {
    User: 'root',
    ExposedPorts: { '8080/tcp': {} },
    Env: ['A=1'],
    Entrypoint: ['/base'],
    Cmd: ['base', 'cmd'],
    Volumes: { '/v': {} },
    WorkingDir: '/srv',
    Labels: { b: '1', a: '2' },
    StopSignal: 'SIGINT',
    Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5_000_000_000 },
    OnBuild: ['ENV T=$A', 'RUN echo "$T" > /log', 'WORKDIR made', 'ARG X=x'],
  },
}

describe('the corpus of Dockerfiles, beside BuildKit', { skip: missingPeers() }, () => {
  const stack = new AsyncDisposableStack()
  let builders: TwoBuilders
  before(async () => {
    builders = stack.use(await TwoBuilders.start(BASES))
    const { daemon, peers } = builders
    writeFileSync(join(peers.here, 'ready'), '')
    stack.use(await FileServer.start(daemon, peers.here))
  })
  after(() => stack.disposeAsync())

  for (const name of cases) {
    it(name, async () => {
      const { peers } = builders
      const context = join(peers.here, name)
      cpSync(join(CORPUS, name), context, { recursive: true, verbatimSymlinks: true })
      const setup = `cd ${peers.there}/${name} && umask 022 && sh -e setup.sh && rm setup.sh`
      if (existsSync(join(context, 'setup.sh'))) good(peers.run('sh', '-c', setup))
      const args = existsSync(join(context, 'args')) ? readFileSync(join(context, 'args'), 'utf8') : ''
      rmSync(join(context, 'args'), { force: true })
      const known = (differences[name] ?? []).map(({ line }) => new RegExp(line))
      const found = await builders.differences(
        context,
        args.split('\n').filter((line) => line !== ''),
      )
      const unknown = found.filter((line) => !known.some((each) => each.test(line)))
      assert.deepEqual(unknown, [])
      // What has become equal is no difference any more.
      for (const each of known)
        assert.ok(
          found.some((line) => each.test(line)),
          `no longer differs: ${each.source}`,
        )
    })
  }
})

/**
 * The corpus: a directory per Dockerfile in build-corpus, which is its own context, with `setup.sh` for files that git does not
 * keep and `args` for the command line (`@` is the context); http://127.0.0.1:8099/NAME has its files, too. Each is built by berth and by Docker's BuildKit, and the two images
 * are compared: configuration, history, what each layer does, and the tree in the end; or what is said of a Dockerfile that
 * cannot be built. What may differ stands with its reason in
 * build-corpus/differences.json. BERTH_CORPUS=NAME,NAME builds only these.
 */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { digestOf, hexOf } from '#base/digest.ts'
import type { RunConfig } from '#oci/image-spec.ts'
import { hostPlatform } from '#oci/platform.ts'
import { differencesOf, readBuiltImage } from '#test/support/built-image.ts'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import { type Result, TestDaemon } from '#test/support/daemon.ts'
import { FileServer } from '#test/support/file-server.ts'
import { missingPeers, Peers } from '#test/support/peers.ts'

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
  let daemon: TestDaemon
  let peers: Peers
  before(async () => {
    daemon = stack.use(await TestDaemon.start())
    peers = stack.use(new Peers(daemon))
    writeFileSync(join(peers.here, 'ready'), '')
    stack.use(await FileServer.start(daemon, peers.here))
    for (const [name, config] of Object.entries(BASES)) {
      writeFileSync(join(peers.here, 'base.tar'), await baseImage(name, config))
      good(daemon.berth('load', '-i', join(peers.here, 'base.tar')))
      good(await peers.docker('load', '-i', `${peers.there}/base.tar`))
    }
  })
  after(() => stack.disposeAsync())

  /** Builds it with both; what differs. */
  const build = async (name: string): Promise<readonly string[]> => {
    cpSync(join(CORPUS, name), join(peers.here, name), { recursive: true, verbatimSymlinks: true })
    const setup = `cd ${peers.there}/${name} && umask 022 && sh -e setup.sh && rm setup.sh args 2> /dev/null; true`
    if (existsSync(join(CORPUS, name, 'setup.sh'))) good(peers.run('sh', '-c', setup))
    rmSync(join(peers.here, name, 'args'), { force: true })
    const shared = ['--network', 'none', '--provenance=false', '-t', `${name}:built`]
    const file = existsSync(join(CORPUS, name, 'args'))
      ? readFileSync(join(CORPUS, name, 'args'), 'utf8')
      : ''
    const args = file.split('\n').filter((line) => line !== '')
    const at = (context: string): string[] => args.map((arg) => arg.replaceAll('@', context))
    const theirContext = `${peers.there}/${name}`
    const ours = daemon.berth('build', ...shared, ...at(join(peers.here, name)), join(peers.here, name))
    const theirs = await peers.docker('buildx', 'build', ...shared, ...at(theirContext), theirContext)
    if (ours.code !== 0 || theirs.code !== 0) return outcomes(ours, theirs)
    good(daemon.berth('save', '-o', join(peers.here, 'ours.tar'), `${name}:built`))
    good(await peers.docker('save', '-o', `${peers.there}/theirs.tar`, `${name}:built`))
    return differencesOf(
      await readBuiltImage(join(peers.here, 'ours.tar')),
      await readBuiltImage(join(peers.here, 'theirs.tar')),
    )
  }

  for (const name of cases) {
    it(name, async () => {
      const known = (differences[name] ?? []).map(({ line }) => new RegExp(line))
      const found = await build(name)
      assert.deepEqual(
        found.filter((line) => !known.some((each) => each.test(line))),
        [],
      )
      // What has become equal is no difference any more.
      for (const each of known)
        assert.ok(
          found.some((line) => each.test(line)),
          `no longer differs: ${each.source}`,
        )
    })
  }
})

/** An archive as `docker save` once wrote it, which both engines load. */
async function baseImage(name: string, config: RunConfig): Promise<Buffer> {
  const layer = await busyboxTar(member({ path: 'base', mode: 0o755 }, '#!/bin/sh\n'))
  const { os, architecture } = hostPlatform()
  const created = '2026-01-02T03:04:05Z'
  const document = JSON.stringify({
    os,
    architecture,
    created,
    config,
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    history: [{ created, created_by: 'the base of the corpus' }],
  })
  const id = `${hexOf(digestOf(document))}.json`
  const manifest = JSON.stringify([{ Config: id, RepoTags: [`${name}:latest`], Layers: ['layer.tar'] }])
  return tarOf(
    member({ path: id }, document),
    member({ path: 'layer.tar' }, layer),
    member({ path: 'manifest.json' }, manifest),
  )
}

/** What they say where one of them has built nothing. */
function outcomes(ours: Result, theirs: Result): readonly string[] {
  const [a, b] = [outcome(ours), outcome(theirs)]
  return a === b ? [] : [`outcome: ${a}, BuildKit: ${b}`]
}

function outcome({ code, stderr }: Result): string {
  if (code === 0) return 'built'
  const message = /^ERROR: failed to build: failed to solve: (.*)$/m.exec(stderr)?.[1] ?? stderr
  // Their names of things inside are other ones each time.
  return message.replace(/ of ref [^"]*: (?=")/, ': ').replaceAll(/\/\S*\/merged\//g, '/')
}

function good({ code, stdout, stderr }: Result): string {
  assert.equal(code, 0, stderr + stdout)
  return stdout
}

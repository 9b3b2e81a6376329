/** Docker's client and ours make the same lists: the same words, the same files, the same digests, and either goes on for the other. */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { mediaTypes } from '#oci/image-spec.ts'
import { openRegistryClient } from '#registry/client/client.ts'
import type { Repository } from '#registry/client/repository.ts'
import { NODE, REPOSITORY } from '#test/support/daemon.ts'
import { RegistryProcess } from '#test/support/registry-process.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"

/** `L` is a list, `R` the registry; one after the other. */
const lines: readonly string[] = [
  'inspect R/docker:amd64',
  'inspect -v R/docker:amd64',
  'inspect R/oci:arm64',
  'inspect -v R/oci:arm64',
  'inspect R/index:1',
  'inspect -v R/index:1',
  'create L R/docker:amd64 R/docker:windows R/oci:arm64 R/oci:artifact',
  'inspect L',
  'inspect -v L',
  'inspect L R/docker:windows',
  'inspect -v L R/docker:windows',
  'inspect L R/docker:no',
  'inspect R/docker:no',
  'inspect R/no:1',
  'create R/new R/docker:no',
  'create L R/docker:amd64',
  'create --amend L R/docker:amd64 R/oci:amd64',
  'annotate L R/oci:arm64 --variant v9 --os-features a,b --os-features x,c --os-version 7',
  'annotate L R/docker:amd64 --os linux --arch x86',
  'annotate L R/docker:no --arch arm',
  'annotate R/no R/docker:amd64 --arch arm',
  'annotate L R/docker:amd64',
  'annotate L R/oci:artifact --os-features a"b',
  'push L',
  'annotate L R/oci:artifact --os linux --arch s390x',
  'inspect L',
  'inspect -v L',
  'push L',
  'push --purge L',
  'inspect L',
  'inspect -v L',
  'create R/again L',
  'push L',
  'rm L',
  'rm R/no no',
  'create R/oci:first R/oci:arm64 R/docker:amd64',
  'push -p R/oci:first',
  'inspect R/oci:first',
  'create other.example/x R/docker:amd64',
  'inspect -v other.example/x',
  'push other.example/x',
  'rm other.example/x',
  'create X R/docker:amd64',
  'create L @',
  'inspect X',
  'inspect L X',
  'annotate X L',
  'annotate L X',
  'push X',
  'rm X',
  'create L',
  'annotate L',
  'inspect',
  'push L L',
  'rm',
  'push --bogus L',
]

describe("docker manifest and berth manifest, with berth's registry", { skip: absent }, () => {
  const stack = new AsyncDisposableStack()
  let host = ''
  let directory = ''

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-lists-'))
    stack.defer(() => rmSync(directory, { recursive: true }))
    const registry = stack.use(await RegistryProcess.start())
    host = registry.url.replace('http://', '')
    await fill(host)
  })
  after(() => stack.disposeAsync())

  /** Each has a configuration of its own unless one is named. */
  function said(program: 'docker' | 'berth', line: string, config: string = program): Promise<Said> {
    const [verb = '', ...rest] = line.split(' ')
    const insecure = ['create', 'inspect', 'push'].includes(verb) ? ['--insecure'] : []
    const words = ['manifest', verb, ...insecure, ...rest.map((word) => word.replace(/^[LR]/, named))]
    const [file = '', ...first] =
      program === 'docker' ? ['docker'] : [NODE, '--disable-warning=ExperimentalWarning', CLI]
    const env = { PATH: process.env['PATH'], HOME: '/nonexistent', DOCKER_CONFIG: join(directory, config) }
    return new Promise((resolve) => {
      execFile(file, [...first, ...words.filter((word) => word !== '')], { env }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), out: hostless(out), err: hostless(err) }),
      )
    })
  }

  const named = (letter: string): string => (letter === 'L' ? `${host}/team/all:1` : host)
  const hostless = (text: string): string => text.replaceAll(host, 'R')

  /** Every file of the lists with what is in it. */
  function files(config: string): [string, string][] {
    const at = join(directory, config, 'manifests')
    return readdirSync(at, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .toSorted()
      .map((file) => [file.slice(at.length), readFileSync(file, 'utf8')])
  }

  it('print the same, end the same, and leave the same files', async () => {
    for (const line of lines) {
      const [docker, berth] = [await said('docker', line), await said('berth', line)]
      assert.deepEqual(
        [berth.code, berth.out],
        [docker.code, docker.out],
        `${line}: ${docker.err}${berth.err}`,
      )
      assert.ok(sameWords(docker.err, berth.err), `${line}:\n${docker.err}\n${berth.err}`)
      if (/^(create|annotate|push|rm)/.test(line)) {
        assert.deepEqual(files('berth'), files('docker'), line)
      }
    }
  })

  it('name a registry that does not answer, and why', async () => {
    const refused = /dial tcp 127\.0\.0\.1:1: connect: connection refused\n$/
    for (const line of ['inspect 127.0.0.1:1/a', 'create R/a 127.0.0.1:1/a']) {
      for (const program of ['docker', 'berth'] as const) {
        const { code, out, err } = await said(program, line)
        assert.deepEqual([code, out], [1, ''])
        assert.match(err, refused)
      }
    }
  })

  it('take turns at one list', async () => {
    const steps = [
      'create R/turns R/docker:amd64 R/oci:arm64',
      'annotate R/turns R/oci:arm64 --os-version 1',
      'create -a R/turns R/oci:amd64 R/oci:arm64',
      'annotate R/turns R/oci:amd64 --variant v2',
      'inspect -v R/turns',
      'push -p R/turns',
    ]
    const results: string[] = []
    for (const turns of [['docker'], ['docker', 'berth'], ['berth', 'docker'], ['berth']] as const) {
      let last = ''
      for (const [i, step] of steps.entries()) {
        const { code, out, err } = await said(turns[i % turns.length] ?? 'berth', step, 'shared')
        assert.equal(code, 0, `${turns.join()}: ${step}: ${err}`)
        last = out
      }
      results.push(last)
    }
    assert.match(results[0] ?? '', /\nsha256:[0-9a-f]{64}\n$/)
    assert.deepEqual(
      results,
      Array.from(results, () => results[0]),
    )
  })
})

const CLI = join(REPOSITORY, 'src/bin/berth.ts')

interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Each of Docker's lines begins one of ours, which may go on with what to do next; usage is checked elsewhere. */
function sameWords(docker: string, berth: string): boolean {
  const linesOf = (text: string): string[] =>
    (text.replaceAll('docker', 'berth').split('\n\n')[0] ?? '')
      // Go quotes the argument, and says what it was about.
      .replaceAll('\\"', '"')
      .replace('failed to assemble ManifestDescriptor: ', '')
      .trimEnd()
      .split('\n')
  const [wanted, found] = [linesOf(docker), linesOf(berth)]
  return wanted.length === found.length && wanted.every((line, i) => found[i]?.startsWith(line))
}

/** Images of both kinds, one of which is none, and an index as a builder makes it. */
async function fill(domain: string): Promise<void> {
  await using client = openRegistryClient()
  const put = (path: string, tag: string, platform: object, more: object = {}) =>
    putImage(client.repository({ domain, path }), tag, platform, more)
  const windows = {
    os: 'windows',
    architecture: 'amd64',
    'os.version': '10.0.20348.1',
    'os.features': ['win32k'],
  }
  await put('docker', 'amd64', { os: 'linux', architecture: 'amd64' })
  await put('docker', 'windows', windows)
  await put('oci', 'amd64', { os: 'linux', architecture: 'amd64' })
  await put('oci', 'arm64', { os: 'linux', architecture: 'arm64', variant: 'v8', 'os.features': ['x'] })
  await put(
    'oci',
    'artifact',
    {},
    { artifactType: 'application/x.test', annotations: { 'a<b>': 'c&d\u2028' } },
  )
  const index = client.repository({ domain, path: 'index' })
  const entry = await putImage(
    index,
    'one',
    { os: 'linux', architecture: 'arm' },
    { annotations: { a: 'b' } },
  )
  const platform = { os: 'linux', architecture: 'arm', variant: 'v7' }
  const attestation = { os: 'unknown', architecture: 'unknown' }
  const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' }
  const manifests = [
    { ...entry, platform },
    { ...entry, platform: attestation, annotations },
  ]
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, annotations: { c: 'd' } }
  const bytes = Buffer.from(JSON.stringify(document))
  await index.putManifest('1', { bytes, mediaType: mediaTypes.ociIndex })
}

async function putImage(repository: Repository, tag: string, platform: object, more: object) {
  const kind = repository.name.path === 'docker' ? 'docker' : 'oci'
  const blob = async (text: string) => {
    const bytes = Buffer.from(text)
    async function* read(offset: number): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(offset)
    }
    return repository.upload({ size: bytes.length, read })
  }
  const config = await blob(JSON.stringify({ ...platform, rootfs: { type: 'layers', diff_ids: [] } }))
  const layer = await blob(`layer of ${tag}`)
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes[`${kind}Manifest`],
    config: { mediaType: mediaTypes[`${kind}Config`], ...config },
    layers: [{ mediaType: mediaTypes[`${kind}LayerGzip`], ...layer }],
    ...more,
  }
  // As some builders write it.
  const bytes = Buffer.from(JSON.stringify(document, undefined, tag === 'arm64' ? 2 : undefined))
  const { digest } = await repository.putManifest(tag, { bytes, mediaType: document.mediaType })
  return { mediaType: document.mediaType, digest, size: bytes.length }
}

/** Clients of the classic builder against a real daemon: Docker's own without the buildx plugin, and dockerode. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import Docker from 'dockerode'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { type EngineUnderTest, startEngine } from './engine-under-test.ts'

const DOCKERFILE = `FROM busybox AS build
ARG WHO=nobody
COPY src /src
RUN mkdir /out && cat /src/main > /out/app && echo "for $WHO"

FROM busybox
LABEL from=file
ENV MODE=quiet
COPY --from=build /out/app /app
CMD ["cat", "/app"]
`

let engine: EngineUnderTest
before(async () => {
  engine = await startEngine()
})
after(() => engine[Symbol.asyncDispose]())

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"

describe('docker without buildx', { skip: absent }, () => {
  let directory = ''
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-build-clients-'))
    write('app/Dockerfile', DOCKERFILE)
    write('app/src/main', 'hello\n')
    write('app/.dockerignore', 'secret\n')
    write('app/secret', 'not to be sent')
  })
  after(() => rmSync(directory, { recursive: true }))

  function write(path: string, text: string): void {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }

  interface Said {
    readonly code: number | null
    readonly out: string
    readonly err: string
  }

  function docker(args: readonly string[], input?: string): Said {
    const env = {
      PATH: process.env['PATH'],
      HOME: directory,
      DOCKER_HOST: `unix://${engine.socket}`,
      DOCKER_BUILDKIT: '0',
    }
    const options = { env, cwd: directory, encoding: 'utf8', input: input ?? '', timeout: 60_000 } as const
    const { status, stdout, stderr } = spawnSync('docker', args, options)
    return { code: status, out: stdout, err: stderr }
  }

  it('builds several stages; the id, the names and the history are right', () => {
    const iid = join(directory, 'iid')
    const built = docker([
      'build',
      '-t',
      'classic',
      '-t',
      'classic:two',
      '--iidfile',
      iid,
      '--build-arg',
      'WHO=me',
      'app',
    ])
    assert.equal(built.code, 0, built.err + built.out)
    assert.match(built.out, /^Step 1\/9 : FROM busybox AS build$/m)
    assert.match(
      built.out,
      /^Step 4\/9 : RUN mkdir .*\n ---> Running in [0-9a-f]{12}\nfor me\n ---> Removed intermediate container/m,
    )
    assert.match(built.out, /^Step 9\/9 : CMD \["cat", "\/app"\]$/m)
    assert.match(
      built.out,
      /Successfully built [0-9a-f]{12}\nSuccessfully tagged classic:latest\nSuccessfully tagged classic:two\n$/,
    )
    const id = readFileSync(iid, 'utf8')
    const inspected = docker([
      'inspect',
      '-f',
      '{{.Id}} {{.Config.Labels.from}} {{.Config.Env}}',
      'classic:two',
    ])
    assert.match(inspected.out, new RegExp(`^${id} file \\[.*MODE=quiet`))
    assert.equal(docker(['run', '--rm', 'classic']).out, 'hello\n')
    assert.match(
      docker(['history', '--no-trunc', 'classic']).out,
      /COPY --from=build \/out\/app \/app # buildkit|COPY \/out\/app \/app # buildkit/,
    )
  })

  it('builds it again from the cache, to the same image', () => {
    const first = docker(['build', '-q', 'app'])
    const again = docker(['build', 'app'])
    assert.match(again.out, /Step 4\/9 : RUN .*\n ---> Using cache\n/)
    assert.equal(docker(['build', '-q', 'app']).out, first.out)
    assert.match(first.out, /^sha256:[0-9a-f]{64}\n$/)
    assert.doesNotMatch(docker(['build', '--no-cache', 'app']).out, /Using cache/)
  })

  it('takes target, labels, another file, and a Dockerfile or a context on stdin', () => {
    write('app/sub/other', 'FROM busybox\nCOPY src/main /other\n')
    assert.equal(docker(['build', '-t', 'other', '-f', 'app/sub/other', '--label', 'l=v', 'app']).code, 0)
    assert.equal(docker(['run', '--rm', 'other', 'cat', '/other']).out, 'hello\n')
    assert.equal(docker(['inspect', '-f', '{{.Config.Labels.l}}', 'other']).out, 'v\n')
    assert.equal(docker(['build', '-t', 'stage', '--target', 'build', 'app']).code, 0)
    assert.equal(docker(['run', '--rm', 'stage', 'cat', '/out/app']).out, 'hello\n')
    assert.equal(docker(['build', '-t', 'piped', '-'], 'FROM busybox\nRUN echo x > /x\n').code, 0)
    assert.equal(docker(['run', '--rm', 'piped', 'cat', '/x']).out, 'x\n')
  })

  it('is told of a RUN that fails, with its exit code, and nothing is tagged', () => {
    const said = docker(['build', '-t', 'never', '-'], 'FROM busybox\nRUN echo before; exit 7\n')
    assert.equal(said.code, 7)
    assert.match(said.out, /^before$/m)
    assert.match(said.err, /The command '\/bin\/sh -c echo before; exit 7' returned a non-zero code: 7\n$/)
    assert.match(docker(['inspect', 'never']).err, /No such (object|image): never/i)
  })

  it('is told of mistakes before anything is done', () => {
    assert.match(docker(['build', '-'], 'FROM busybox\nRUNN x\n').err, /unknown instruction: RUNN/)
    assert.match(docker(['build', '--target', 'nowhere', 'app']).err, /nowhere/)
    assert.match(docker(['build', '-t', 'UPPER', 'app']).err, /invalid (tag|reference)/)
    write('app/missing', 'FROM busybox\nCOPY secret /\n')
    assert.match(docker(['build', '-f', 'app/missing', 'app']).err, /secret.*(not found|no such file)/i)
  })
})

describe('dockerode', () => {
  let docker: Docker
  before(() => {
    docker = new Docker({ socketPath: engine.socket })
  })

  interface Line {
    readonly stream?: string
    readonly aux?: { readonly ID: string }
    readonly error?: string
  }

  async function build(context: Uint8Array, options: Docker.ImageBuildOptions = {}): Promise<Line[]> {
    const { Readable } = await import('node:stream')
    const stream = await docker.buildImage(Readable.from([context]), options)
    const { promise, resolve } = Promise.withResolvers<Line[]>()
    docker.modem.followProgress(stream, (_error, lines) => resolve(lines as Line[]))
    return promise
  }

  const tar = (): Promise<Buffer> =>
    tarOf(
      member({ path: 'Dockerfile' }, DOCKERFILE),
      member({ path: 'src', type: 'directory' }),
      member({ path: 'src/main' }, 'from a tar\n'),
    )

  it('builds a tar in every compression, with arguments and labels', async () => {
    const plain = await tar()
    const kinds = [
      ['plain', plain],
      ['gzip', gzipSync(plain)],
      ['zstd', zstdCompressSync(plain)],
      ...(['bzip2', 'xz'] as const).flatMap((program) => {
        const { status, stdout } = spawnSync(program, ['-c'], { input: plain })
        return status === 0 ? [[program, stdout] as const] : []
      }),
    ] as const
    for (const [name, context] of kinds) {
      const lines = await build(context, {
        t: `rode:${name}`,
        buildargs: { WHO: 'rode' },
        labels: { kind: name },
        nocache: true,
      })
      assert.deepEqual(
        lines.filter(({ error }) => error !== undefined),
        [],
        name,
      )
      assert.ok(lines.some(({ stream }) => stream === 'for rode\n'))
      const { aux } = lines.findLast((line) => line.aux !== undefined) ?? {}
      const image = await docker.getImage(`rode:${name}`).inspect()
      assert.equal(image.Id, aux?.ID)
      assert.equal(image.Config.Labels['kind'], name)
    }
  })

  it('reads why a build failed', async () => {
    const context = await tarOf(member({ path: 'Dockerfile' }, 'FROM busybox\nRUN exit 3\n'))
    const lines = await build(context)
    assert.match(lines.at(-1)?.error ?? '', /returned a non-zero code: 3$/)
  })

  it('cancels by hanging up', async () => {
    const context = await tarOf(member({ path: 'Dockerfile' }, 'FROM busybox\nRUN echo going; sleep 600\n'))
    const { Readable } = await import('node:stream')
    const abort = new AbortController()
    const stream = await docker.buildImage(Readable.from([context]), { t: 'hung', abortSignal: abort.signal })
    for await (const chunk of stream) if (String(chunk).includes('going')) break
    abort.abort()
    await assert.rejects(docker.getImage('hung').inspect(), { statusCode: 404 })
  })

  it('prunes the cache', async () => {
    const { SpaceReclaimed } = (await docker.pruneBuilder()) as { SpaceReclaimed?: number }
    assert.equal(typeof SpaceReclaimed, 'number')
  })
})

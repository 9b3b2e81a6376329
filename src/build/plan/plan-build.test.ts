import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError, isKind } from '#base/errors.ts'
import type { RunConfig } from '#oci/image-spec.ts'
import type { CopyStep, Filesystem, ImagePlan, RunStep } from '../graph/operations.ts'
import type { BuildRequest } from '../graph/plan.ts'
import { planBuild } from './plan-build.ts'
import { amd64, arm64, chainOf, FakeImages, planOf, requestOf } from './plan.fixture.ts'

async function imageOf(dockerfile: string, more?: Partial<BuildRequest>): Promise<ImagePlan> {
  const { images } = await planOf(dockerfile, more)
  const [image] = images
  assert.ok(image !== undefined)
  return image
}

async function chain(dockerfile: string, more?: Partial<BuildRequest>): Promise<readonly Filesystem[]> {
  return chainOf((await imageOf(dockerfile, more)).filesystem)
}

async function lastRun(dockerfile: string, more?: Partial<BuildRequest>): Promise<RunStep> {
  const step = (await chain(dockerfile, more)).at(-1)
  assert.equal(step?.kind, 'run')
  return step
}

async function lastCopy(dockerfile: string, more?: Partial<BuildRequest>): Promise<CopyStep> {
  const step = (await chain(dockerfile, more)).at(-1)
  assert.equal(step?.kind, 'copy')
  return step
}

/** Expects an error of the Dockerfile whose text and place match. */
async function fails(
  dockerfile: string,
  message: RegExp,
  at: { line: number; column?: number },
  more?: Partial<BuildRequest>,
): Promise<EngineError> {
  let thrown: unknown
  await assert.rejects(planOf(dockerfile, more), (error) => {
    thrown = error
    return true
  })
  assert.ok(thrown instanceof EngineError)
  assert.match(thrown.message, message)
  const { line, column, file } = thrown.details
  assert.deepEqual({ line, column, file }, { column: 1, file: 'Dockerfile', ...at })
  return thrown
}

describe('planBuild(): stages', () => {
  it('looks up no image that the target does not need', async () => {
    const images = new FakeImages()
    const file = 'FROM bb:1 AS a\nFROM missing AS b\nRUN x\nFROM a\nCOPY --from=bb:bare /x /y\n'
    const plan = await planOf(file, {}, images)
    assert.deepEqual(images.asked.toSorted(), ['bb:1 linux/amd64', 'bb:bare linux/amd64'])
    assert.deepEqual(
      plan.materials.map(({ reference }) => reference),
      ['docker.io/library/bb:1', 'docker.io/library/bb:bare'],
    )
    await assert.rejects(planOf(file, { target: 'b' }, new FakeImages()), /no such image: missing/)
  })

  it('plans a stage that several need once', async () => {
    const steps = await chain(
      'FROM bb:1 AS a\nRUN x\nFROM a AS b\nFROM b\nCOPY --from=a /x /\nCOPY --from=0 /y /',
    )
    const copies = steps.filter((step) => step.kind === 'copy')
    const [first, second] = copies.map(({ sources: [source] }) =>
      source?.type === 'files' ? source.from : undefined,
    )
    assert.equal(first, steps[1])
    assert.equal(second, first)
  })

  it('says where a stage is taken from too early, also by a trigger', async () => {
    const early = /cannot copy from stage "later", it needs to be defined before current stage "stage-0"/
    await fails(
      'FROM bb:1\nCOPY --from=later /x /\nFROM bb:1 AS later\nFROM scratch\nCOPY --from=0 / /\n',
      early,
      {
        line: 2,
      },
    )
    const images = new FakeImages({ parent: { OnBuild: ['COPY --from=later /x /'] } })
    const file = 'FROM parent\nFROM bb:1 AS later\nFROM scratch\nCOPY --from=0 / /\n'
    await assert.rejects(planOf(file, {}, images), (error) => {
      assert.ok(error instanceof EngineError)
      assert.match(error.message, early)
      assert.equal(error.details['line'], 1)
      return true
    })
  })

  it('runs triggers of the base once, and resolves what they take from in the child', async () => {
    const images = new FakeImages({
      parent: {
        OnBuild: ['ARG V=1', 'COPY --from=tool /bin/t /t$V', 'RUN --mount=from=tool,target=/m t', 'USER u'],
      },
    })
    const file = 'FROM bb:1 AS tool\nRUN make\nFROM parent AS child\nFROM child\nRUN own\n'
    const [image] = (await planOf(file, {}, images)).images
    assert.ok(image !== undefined)
    const [base, copy, run, own] = chainOf(image.filesystem)
    assert.equal(base?.kind, 'image')
    assert.ok(copy?.kind === 'copy' && run?.kind === 'run' && own?.kind === 'run')
    assert.equal(copy.destination, '/t1')
    assert.deepEqual([copy.label.line, copy.label.instruction], [3, 'ONBUILD COPY --from=tool /bin/t /t$V'])
    const [source] = copy.sources
    const [mount] = run.mounts
    assert.ok(source?.type === 'files' && source.from.kind === 'run' && mount?.type === 'bind')
    assert.equal(mount.from, source.from)
    assert.equal(own.user, 'u')
    assert.equal(image.config.OnBuild, undefined)
  })

  it('keeps triggers for whoever builds on the image', async () => {
    const { config } = await imageOf('FROM bb:1\nONBUILD RUN  make  $X\nONBUILD COPY <<E /x\na\nE\n')
    assert.deepEqual(config.OnBuild, ['RUN  make  $X', 'COPY <<E /x\na\nE'])
  })

  it('tells a damaged trigger with the image it is of', async () => {
    const images = new FakeImages({ parent: { OnBuild: ['RUNN x'] } })
    await assert.rejects(
      planOf('FROM parent\n', {}, images),
      /unknown instruction: RUNN[^]*ONBUILD of parent:1/,
    )
  })

  it('takes named contexts for images, for stages and for sources', async () => {
    const contexts = new Map([
      ['alpine', { type: 'image', reference: 'bb:1' }],
      ['built', { type: 'files' }],
      ['more', { type: 'files' }],
    ] as const)
    const file =
      'FROM missing AS built\nRUN never\nFROM alpine:latest\nCOPY --from=built a b\nCOPY --from=more c d\n'
    const [base, first, second] = await chain(file, { contexts })
    assert.ok(base?.kind === 'image' && first?.kind === 'copy' && second?.kind === 'copy')
    assert.equal(base.name, 'bb:1')
    const [built] = first.sources
    assert.ok(built?.type === 'files' && built.from.kind === 'copy')
    assert.deepEqual(built.from.sources, [
      { type: 'files', from: { kind: 'context', name: 'built' }, pattern: '.', unpack: 'never' },
    ])
    assert.equal(built.from.destination, '/')
    const [more] = second.sources
    assert.ok(more?.type === 'files')
    assert.deepEqual(more.from, { kind: 'context', name: 'more' })
  })

  it('has a layer and an entry of history for files that a stage is FROM', async () => {
    const image = await imageOf('FROM rootfs\nUSER x\n', {
      contexts: new Map([['rootfs', { type: 'files' }]]),
    })
    assert.deepEqual(
      image.history.map(({ createdBy, step }) => [createdBy, step?.kind]),
      [
        ['FROM rootfs # buildkit', 'copy'],
        ['USER x', undefined],
      ],
    )
    assert.equal(image.base, undefined)
  })

  it('says which line wants an image that cannot be had', async () => {
    await fails(
      'FROM bb:1\nCOPY --from=missing /x /\n',
      /missing:latest: no such image: missing\nDockerfile:2\n/,
      {
        line: 2,
      },
    )
    await fails(
      'FROM bb:1 AS build\nFROM bb:1\nCOPY --from=biuld /x /\n',
      /biuld:latest: no such.*\nThere is no stage biuld \(did you mean build\?\), so an image of that name is wanted\.\nDockerfile:3\n/,
      { line: 3 },
    )
    const error = await fails('FROM bb:1 AS a\nFROM missing\n', /no such image: missing\nDockerfile:2\n/, {
      line: 2,
    })
    await fails('FROM bb:1 AS tools\nFROM tolls\n', /\(did you mean tools\?\)/, { line: 2 })
    assert.deepEqual([error.kind, error.code], ['not_found', 'IMAGE_NOT_FOUND'])
    const gone = new EngineError('cancelled', 'gone', { code: 'REQUEST_CANCELLED' })
    const resolve = () => Promise.reject(gone)
    await assert.rejects(planOf('FROM bb:1', {}, { resolve }), (thrown) => thrown === gone)
  })

  it('stops when it is aborted', async () => {
    const signal = AbortSignal.abort(new Error('gone'))
    await assert.rejects(planBuild(requestOf('FROM bb:1'), new FakeImages(), { signal }), /gone/)
  })
})

describe('planBuild(): platforms', () => {
  it('shares what runs on the platform of the build', async () => {
    const images = new FakeImages()
    const file = 'FROM --platform=$BUILDPLATFORM bb:1 AS b\nRUN x\nFROM bb:bare\nCOPY --from=b /x /\n'
    const plan = await planOf(file, { platforms: [arm64, amd64] }, images)
    assert.deepEqual(images.asked.toSorted(), [
      'bb:1 linux/amd64',
      'bb:bare linux/amd64',
      'bb:bare linux/arm64',
    ])
    const built = plan.images.map(({ filesystem }) => {
      assert.ok(filesystem.kind === 'copy')
      const [source] = filesystem.sources
      assert.ok(source?.type === 'files')
      return source.from
    })
    assert.deepEqual(built[0], built[1])
    assert.deepEqual(
      plan.images.map(({ platform }) => platform),
      [arm64, amd64],
    )
    assert.equal(
      plan.images[0]?.filesystem.kind === 'copy' && plan.images[0].filesystem.label.name,
      '[linux/arm64 stage-1 2/2] COPY --from=b /x /',
    )
  })

  it('names what a stage is compiled for', async () => {
    const file = 'FROM --platform=$BUILDPLATFORM bb:1 AS b\nARG TARGETARCH TARGETPLATFORM\nRUN x\n'
    const plan = await planOf(file, { platforms: [arm64, amd64] })
    assert.deepEqual(
      plan.images.map(({ filesystem }) => 'label' in filesystem && filesystem.label?.name),
      ['[linux/amd64->arm64 b 2/2] RUN x', '[linux/amd64 b 2/2] RUN x'],
    )
    assert.notDeepEqual(plan.images[0]?.filesystem, plan.images[1]?.filesystem)
  })

  it('runs on the platform of FROM, of the base stage, or of the target', async () => {
    const file = 'FROM --platform=linux/arm/v6 bb:1 AS a\nFROM a\nRUN x\n'
    assert.deepEqual((await lastRun(file)).platform, { os: 'linux', architecture: 'arm', variant: 'v6' })
    assert.deepEqual((await lastRun('FROM bb:1\nRUN x\n', { platforms: [arm64] })).platform, arm64)
  })
})

describe('planBuild(): RUN', () => {
  it('has environment, directory, user and shell of the place', async () => {
    const file =
      'FROM bb:1\nARG A=1\nENV B=$A\nARG NONE\nWORKDIR /w\nUSER u:g\nSHELL ["/s", "-c"]\nRUN --network=none go "$B"\n'
    const step = await lastRun(file, { extraHosts: ['h:1.2.3.4'], limits: { shmSize: 1 } })
    assert.deepEqual(step.args, ['/s', '-c', 'go "$B"'])
    assert.deepEqual(step.env, ['PATH=/bin:/usr/bin', 'A=1', 'B=1'])
    const { cwd, user, network, security, hostname, extraHosts, limits } = step
    assert.deepEqual(
      { cwd, user, network, security, hostname, extraHosts, limits },
      {
        cwd: '/w',
        user: 'u:g',
        network: 'none',
        security: 'sandbox',
        hostname: 'buildkitsandbox',
        extraHosts: ['h:1.2.3.4'],
        limits: { shmSize: 1 },
      },
    )
    assert.deepEqual(step.label.args, { A: '1', NONE: '' })
    assert.deepEqual([step.label.line, step.label.stage], [8, 'stage-0'])
  })

  it('gives the default PATH where the image has none', async () => {
    assert.deepEqual((await lastRun('FROM bb:bare\nRUN x\n')).env, [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ])
  })

  it('takes arguments that steer builds', async () => {
    const buildArgs = { BUILDKIT_SANDBOX_HOSTNAME: 'host', BUILDKIT_CACHE_MOUNT_NS: 'team' }
    const step = await lastRun('FROM bb:1\nRUN --mount=type=cache,target=/c x\n', { buildArgs })
    assert.equal(step.hostname, 'host')
    assert.equal(step.mounts[0]?.type === 'cache' && step.mounts[0].id, 'team//c')
  })

  it('keeps proxies out of what the step is, unless they are declared', async () => {
    const buildArgs = { HTTP_PROXY: 'http://p', no_proxy: 'x', https_proxy: '' }
    const step = await lastRun('FROM bb:1\nARG HTTP_PROXY\nRUN x\n', { buildArgs })
    assert.deepEqual(step.env, ['PATH=/bin:/usr/bin', 'HTTP_PROXY=http://p'])
    assert.deepEqual([...step.proxyEnv].toSorted(), ['NO_PROXY=x', 'http_proxy=http://p', 'no_proxy=x'])
  })

  it('gives a lone heredoc to the shell, a script to /dev/pipes, and leaves others to the shell', async () => {
    const plain = await lastRun('FROM bb:1\nRUN <<-E\n\techo a\n\techo b\nE\n')
    assert.deepEqual(plain.args, ['/bin/sh', '-c', 'echo a\necho b\n'])
    const script = await lastRun('FROM bb:1\nRUN <<E\n#!/bin/awk\nx\nE\n')
    assert.deepEqual(script.args, ['/bin/sh', '-c', '/dev/pipes/E'])
    assert.deepEqual(script.scripts, [{ name: 'E', content: '#!/bin/awk\nx\n' }])
    const indented = await lastRun('FROM bb:1\nRUN <<-E\n\t#!/bin/awk\nE\n')
    assert.deepEqual([indented.args[2], indented.scripts], ['#!/bin/awk\n', []])
    const piped = await lastRun('FROM bb:1\nRUN <<A cat; cat <<-B\n1\nA\n\t2\nB\n')
    assert.deepEqual(piped.args, ['/bin/sh', '-c', '<<A cat; cat <<-B\n1\nA\n\t2\nB'])
    assert.deepEqual(piped.scripts, [])
  })

  it('refuses a script whose name leads elsewhere', async () => {
    await fails('FROM bb:1\nRUN <<../../etc/x\n#!/bin/sh\n../../etc/x\n', /cannot be the name of a file/, {
      line: 2,
    })
    await fails('FROM bb:1\nCOPY <<a/../b /d/\nx\na/../b\n', /cannot be the name of a file/, { line: 2 })
  })

  it('refuses an empty command', async () => {
    await fails('FROM bb:1\nRUN []\n', /RUN needs a command/, { line: 2 })
  })

  it('needs the daemon and the request for more than usual', async () => {
    const host = 'FROM bb:1\nRUN --network=host x\n'
    const both = { entitlements: new Set(['network.host']), allow: new Set(['network.host']) }
    assert.equal((await lastRun(host, both)).network, 'host')
    const daemon = await fails(
      host,
      /granting entitlement network\.host is not allowed by build daemon/,
      { line: 2 },
      { ...both, entitlements: new Set() },
    )
    assert.ok(isKind(daemon, 'permission_denied'))
    await fails(host, /^network\.host is not allowed\n/, { line: 2 }, { ...both, allow: new Set() })
    const asked = { entitlements: both.entitlements, network: 'host' } as const
    assert.equal((await lastRun('FROM bb:1\nRUN x\n', asked)).network, 'host')
    await fails('FROM bb:1\nRUN x\n', /network\.host is not allowed by/, { line: 2 }, { network: 'host' })
    assert.equal((await lastRun('FROM bb:1\nRUN --network=none x\n', { network: 'host' })).network, 'none')

    const insecure = 'FROM bb:1\nRUN --security=insecure x\n'
    const given = { entitlements: new Set(['security.insecure']), allow: new Set(['security.insecure']) }
    assert.equal((await lastRun(insecure, given)).security, 'insecure')
    await fails(
      insecure,
      /security\.insecure is not allowed by/,
      { line: 2 },
      { ...given, entitlements: new Set() },
    )
    await fails(insecure, /security\.insecure is not allowed\n/, { line: 2 }, { ...given, allow: new Set() })
    await assert.rejects(planOf('FROM bb:1\nRUN --device=a.b/c x\n'), /RUN --device is not supported/)
  })

  it('looks for no result where it is told so', async () => {
    const file = 'FROM bb:1 AS One\nRUN a\nFROM one AS two\nRUN b\nCOPY x /\nWORKDIR /w\n'
    const uncached = async (more: Partial<BuildRequest>): Promise<unknown> =>
      (await chain(file, more)).flatMap((step) => ('on' in step ? [step.label.uncached] : []))
    assert.deepEqual(await uncached({}), [false, false, false, false])
    assert.deepEqual(await uncached({ noCache: true }), [true, true, true, true])
    assert.deepEqual(await uncached({ noCacheFilter: ['TWO'] }), [false, true, true, true])
    assert.deepEqual(await uncached({ noCacheFilter: ['one', 'x'] }), [true, false, false, false])
  })
})

describe('planBuild(): mounts', () => {
  const mounts = async (run: string): Promise<unknown> =>
    (await lastRun(`FROM bb:1 AS b\nFROM b\nWORKDIR /w\nRUN ${run} x\n`)).mounts

  it('has defaults', async () => {
    const context = { kind: 'context', name: 'context' }
    assert.deepEqual(await mounts('--mount=target=m --mount=type=bind,src=/../a/b,dst=/m/../n,rw'), [
      { type: 'bind', from: context, source: '/', target: '/w/m', readOnly: true },
      { type: 'bind', from: context, source: '/a/b', target: '/n', readOnly: false },
    ])
    const own = { uid: 0, gid: 0 }
    assert.deepEqual(
      await mounts(
        '--mount=type=cache,target=c/ --mount=type=cache,id=x,target=/c,sharing=locked,mode=1777,uid=1,gid=2,ro,source=s',
      ),
      [
        {
          type: 'cache',
          id: 'c',
          target: '/w/c',
          sharing: 'shared',
          from: undefined,
          source: '/',
          readOnly: false,
          mode: 0o755,
          ...own,
        },
        {
          type: 'cache',
          id: 'x',
          target: '/c',
          sharing: 'locked',
          from: undefined,
          source: '/s',
          readOnly: true,
          mode: 0o1777,
          uid: 1,
          gid: 2,
        },
      ],
    )
    assert.deepEqual(
      await mounts(
        '--mount=type=secret,id=a/b --mount=type=secret,target=/t/k,required --mount=type=secret,id=c,env=C --mount=type=secret,id=d,env=D,target=d,mode=0440,uid=7',
      ),
      [
        {
          type: 'secret',
          id: 'a/b',
          target: '/run/secrets/b',
          env: undefined,
          required: false,
          mode: 0o400,
          ...own,
        },
        { type: 'secret', id: 'k', target: '/t/k', env: undefined, required: true, mode: 0o400, ...own },
        { type: 'secret', id: 'c', target: undefined, env: 'C', required: false, mode: 0o400, ...own },
        { type: 'secret', id: 'd', target: '/w/d', env: 'D', required: false, mode: 0o440, uid: 7, gid: 0 },
      ],
    )
    assert.deepEqual(
      await mounts('--mount=type=ssh --mount=type=ssh,id=b,target=/s,required --mount=type=ssh,id=c'),
      [
        {
          type: 'ssh',
          id: 'default',
          target: '/run/buildkit/ssh_agent.0',
          required: false,
          mode: 0o600,
          ...own,
        },
        { type: 'ssh', id: 'b', target: '/s', required: true, mode: 0o600, ...own },
        { type: 'ssh', id: 'c', target: '/run/buildkit/ssh_agent.2', required: false, mode: 0o600, ...own },
      ],
    )
    assert.deepEqual(await mounts('--mount=type=tmpfs,target=/t,size=1m --mount=type=tmpfs,target=/u'), [
      { type: 'tmpfs', target: '/t', size: 1 << 20 },
      { type: 'tmpfs', target: '/u', size: undefined },
    ])
  })

  it('takes from stages and images, with variables in options', async () => {
    const step = await lastRun(
      'FROM bb:1 AS b\nRUN make\nFROM bb:1\nARG D=dir\nRUN --mount=from=b,source=$D,target=/$D --mount=type=cache,from=bb:bare,target=/c x\n',
    )
    const [bind, cache] = step.mounts
    assert.ok(bind?.type === 'bind' && bind.from.kind === 'run' && cache?.type === 'cache')
    assert.deepEqual([bind.source, bind.target, cache.from?.kind], ['/dir', '/dir', 'image'])
  })

  it('are never the root', async () => {
    const file = (mount: string): string => `FROM bb:1\nWORKDIR /w\nRUN --mount=${mount} x\n`
    for (const mount of [
      'type=cache,target=..',
      'target=.././',
      'type=tmpfs,target=/x/..',
      'type=secret,id=x,target=..',
    ])
      await fails(file(mount), /invalid mount target "\/"/, { line: 3 })
  })
})

describe('planBuild(): COPY and ADD', () => {
  const copy = async (line: string): Promise<CopyStep> => lastCopy(`FROM bb:1\nWORKDIR /w\n${line}\n`)

  it('has sources inside their root and an absolute destination', async () => {
    const cases: readonly (readonly [line: string, patterns: readonly string[], destination: string])[] = [
      ['COPY a /x', ['a'], '/x'],
      ['COPY /a/ ../../b* . c/', ['a', 'b*', '.'], '/w/c/'],
      ['COPY . .', ['.'], '/w/'],
      ['COPY a ""', ['a'], '/w/'],
      ['COPY a ..', ['a'], '/'],
      ['COPY a /x/.', ['a'], '/x/'],
      ['COPY ["a b", "/c d/"]', ['a b'], '/c d/'],
    ]
    for (const [line, patterns, destination] of cases) {
      const step = await copy(line)
      assert.deepEqual(
        step.sources.map((source) => source.type === 'files' && source.pattern),
        patterns,
        line,
      )
      assert.equal(step.destination, destination, line)
    }
  })

  it('has flags', async () => {
    const step = await lastCopy(
      'FROM bb:1\nARG U=www\nCOPY --chown=$U:1 --chmod=u=rwX,go= --link --parents --exclude=*.md --exclude=$U ./a/./b//c /./x/../d e /f/\n',
    )
    const { owner, mode, link, parents, exclude } = step
    assert.deepEqual(
      { owner, link, parents, exclude },
      { owner: 'www:1', link: true, parents: true, exclude: ['*.md', 'www'] },
    )
    assert.equal(mode?.type, 'symbolic')
    assert.deepEqual(
      step.sources.map((source) => source.type === 'files' && source.pattern),
      ['a/./b/c', './d', 'e'],
    )
  })

  it('writes documents, with variables where they are wanted', async () => {
    const step = await copy("COPY <<A <<-'B' f /d/\n$PATH\nA\n\t$PATH\nB")
    assert.deepEqual(step.sources, [
      { type: 'files', from: { kind: 'context', name: 'context' }, pattern: 'f', unpack: 'never' },
      { type: 'document', name: 'A', content: '/bin:/usr/bin\n' },
      { type: 'document', name: 'B', content: '$PATH\n' },
    ])
  })

  it('unpacks what ADD takes from the context', async () => {
    const unpack = async (line: string): Promise<unknown> =>
      (await copy(line)).sources.map((source) => source.type === 'files' && source.unpack)
    assert.deepEqual(await unpack('ADD a.tar /'), ['auto'])
    assert.deepEqual(await unpack('ADD --unpack=false a.tar /'), ['never'])
    assert.deepEqual(await unpack('ADD https://h/a.tar /'), ['never'])
    assert.deepEqual(await unpack('ADD --unpack https://h/a.tar /'), ['auto'])
  })

  it('downloads, and checks out', async () => {
    const digest = `sha256:${'ab'.repeat(32)}`
    const step = await copy(`ADD --checksum=${digest} https://h/p/a%20b%5B1%5D.txt?x=1 /d/`)
    assert.deepEqual(step.sources, [
      {
        type: 'files',
        from: { kind: 'download', url: 'https://h/p/a%20b%5B1%5D.txt?x=1', checksum: digest },
        pattern: 'a b\\[1].txt',
        unpack: 'never',
      },
    ])
    const git = await copy('ADD --keep-git-dir --checksum=abcdef1 https://h/r.git#v1:docs/ /d')
    assert.deepEqual(git.sources, [
      {
        type: 'files',
        from: {
          kind: 'git',
          remote: 'https://h/r.git',
          ref: 'v1',
          directory: 'docs',
          checksum: 'abcdef1',
          keepGitDirectory: true,
          submodules: true,
        },
        pattern: '.',
        unpack: 'never',
      },
    ])
  })

  it('refuses what makes no sense, with its line', async () => {
    const bad = async (line: string, message: RegExp): Promise<unknown> =>
      fails(`FROM bb:1\n${line}\n`, message, { line: 2 })
    await bad('COPY https://h/a /', /source can't be a URL for COPY/)
    await bad('COPY git@h:a/b.git /', /source can't be a git ref for COPY/)
    await bad(
      'ADD --checksum=sha256:' + 'ab'.repeat(32) + ' a /',
      /checksum requires HTTP\(S\) or Git sources/,
    )
    await bad('ADD --checksum=abcdef1 https://h/a /', /invalid checksum digest format/)
    await bad(
      'ADD --checksum=sha256:' + 'ab'.repeat(32) + ' https://h/a.git /',
      /invalid checksum for a git source/,
    )
    await bad('ADD https://h/a.git#-x /', /invalid git ref "-x"/)
    await bad('ADD https://h/a.git#main:../x /', /outside of the git repository/)
    await bad('COPY --from=9 a /', /invalid stage index 9/)
  })
})

describe('planBuild(): configuration', () => {
  const configOf = async (lines: string, labels = {}): Promise<RunConfig> =>
    (await imageOf(`FROM bb:1\n${lines}\n`, { labels })).config

  it('gives --label the last word', async () => {
    assert.deepEqual((await configOf('LABEL a=1 b=2', { b: '3', c: '4' })).Labels, { a: '1', b: '3', c: '4' })
  })

  it('leaves out what is empty', async () => {
    assert.deepEqual(await configOf('CMD []\nENTRYPOINT []'), {
      Env: ['PATH=/bin:/usr/bin'],
      ArgsEscaped: true,
    })
  })

  it('takes names that objects have as names', async () => {
    const { Labels: labels } = await configOf('LABEL __proto__=1 constructor=2')
    assert.deepEqual(Object.entries(labels ?? {}), [
      ['__proto__', '1'],
      ['constructor', '2'],
    ])
  })
})

describe('planBuild(): checks', () => {
  it('knows the variables of the base image', async () => {
    const { warnings } = await planOf('FROM ob:1\nLABEL x=$A y=$ELSE z=$T$X\n')
    assert.deepEqual(
      warnings.map(({ rule, message, range }) => [rule, message, range.start.line]),
      [['UndefinedVar', "Usage of undefined variable '$ELSE'", 2]],
    )
  })

  it('looks at what is built, and tells a finding of several platforms once', async () => {
    const file = 'FROM bb:1 AS other\nCMD x\nFROM bb:1\nCMD y\n'
    const { warnings } = await planOf(file, { platforms: [amd64, arm64] })
    assert.deepEqual(
      warnings.map(({ rule, range }) => [rule, range.start.line]),
      [['JSONArgsRecommended', 4]],
    )
  })

  it('fails with all findings where the file says so', async () => {
    const file = '# check=error=true\nFROM bb:1\nMAINTAINER me\nCMD a\n'
    const error = await fails(
      file,
      /^lint violation found for rules: MaintainerDeprecated, JSONArgsRecommended\n/,
      { line: 3 },
    )
    assert.equal(error.code, 'BUILD_CHECKS_FAILED')
    assert.match(error.message, /JSONArgsRecommended: [^\n]*\(line 4\)/)
    assert.equal((await planOf(file.replace('error=true', 'skip=all'))).warnings.length, 0)
  })

  it('finds files that the ignore file leaves out', async () => {
    const file = '# check=experimental=all\nFROM bb:1\nCOPY a.md /\n'
    const { warnings } = await planOf(file, { ignore: '*.md\n' })
    assert.deepEqual(
      warnings.map(({ rule }) => rule),
      ['CopyIgnoredFile'],
    )
  })

  it('tells arguments that nothing uses, and frontends that are not run', async () => {
    const buildArgs = { B: '1', A: '', HTTP_PROXY: 'x', BUILDKIT_INLINE_CACHE: '1', USED: '1' }
    const plan = await planOf('# syntax=else/where:1\nFROM bb:1\nARG USED\n', { buildArgs })
    assert.deepEqual(plan.notices, [
      '[Warning] One or more build-args [A B] were not consumed',
      '[Warning] # syntax=else/where:1: frontends are not run; the file is read as an ordinary Dockerfile',
    ])
    assert.deepEqual((await planOf('# syntax=docker/dockerfile:1\nFROM bb:1\n')).notices, [])
  })

  it('reads the epoch', async () => {
    const epoch = async (text: string): Promise<unknown> =>
      (await planOf('FROM bb:1', { buildArgs: { SOURCE_DATE_EPOCH: text } })).epoch
    assert.equal(await epoch('1700000000'), 1_700_000_000)
    assert.equal(await epoch(''), undefined)
    await assert.rejects(epoch('abc'), /invalid SOURCE_DATE_EPOCH: abc/)
    await assert.rejects(epoch('1e30'), /invalid SOURCE_DATE_EPOCH/)
  })
})

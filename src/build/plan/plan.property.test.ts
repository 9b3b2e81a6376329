import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EngineError } from '#base/errors.ts'
import type { FileOrigin, Filesystem, ImagePlan } from '../graph/operations.ts'
import type { BuildPlan } from '../graph/plan.ts'
import { imageConfig } from './image-config.ts'
import { amd64, arm64, chainOf, FakeImages, layerOf, planOf } from './plan.fixture.ts'

/** Instructions and what of the configuration they set; `%` is a number that makes them differ. */
const METADATA: Readonly<Record<string, string>> = {
  'ENV E%=v%': 'Env',
  'LABEL l%=v%': 'Labels',
  'CMD ["c%"]': 'Cmd',
  'ENTRYPOINT ["e%"]': 'Entrypoint',
  'EXPOSE 80%': 'ExposedPorts',
  'VOLUME /v%': 'Volumes',
  'USER u%': 'User',
  'WORKDIR /w%': 'WorkingDir',
  'STOPSIGNAL 1%': 'StopSignal',
  'SHELL ["/s%"]': 'Shell',
  'HEALTHCHECK CMD h%': 'Healthcheck',
  'ONBUILD RUN o%': 'OnBuild',
}

const line = fc.tuple(
  fc.constantFrom(
    ...Object.keys(METADATA),
    'RUN r%',
    'RUN --mount=from=$FROM,target=/m r%',
    'RUN --mount=type=cache,target=/c r%',
    'COPY f% /d%',
    'COPY --from=$FROM f% d%/',
    'ADD a% .',
    'ARG A%=$E%',
    'WORKDIR r%',
    'COPY <<D /doc%\n$A%\nD',
  ),
  fc.nat(3),
)
const stage = fc.record({ base: fc.nat(4), lines: fc.array(line, { maxLength: 6 }), from: fc.nat(4) })
const dockerfile = fc.array(stage, { minLength: 1, maxLength: 5 }).map((stages) =>
  stages
    .map(({ base, lines, from }, i) => {
      const parent = base < i ? `s${base}` : ['bb:1', 'scratch', 'bb:bare', 'ob:1', 'bb:1'][base]
      const source = from < i ? `s${from}` : 'bb:bare'
      const texts = lines.map(([text, n]) => text.replaceAll('%', String(n)).replace('$FROM', source))
      return [`FROM ${parent} AS s${i}`, ...texts].join('\n')
    })
    .join('\n'),
)

function originsOf(step: FileOrigin): readonly FileOrigin[] {
  const below = 'on' in step ? [step.on] : []
  if (step.kind === 'copy')
    return [...below, ...step.sources.flatMap((source) => (source.type === 'files' ? [source.from] : []))]
  if (step.kind !== 'run') return below
  return [...below, ...step.mounts.flatMap((mount) => ('from' in mount && mount.from ? [mount.from] : []))]
}

function reachable(image: ImagePlan): ReadonlySet<FileOrigin> {
  const seen = new Set<FileOrigin>([image.filesystem])
  for (const origin of seen) for (const each of originsOf(origin)) seen.add(each)
  return seen
}

describe('planBuild(), for any Dockerfile', () => {
  it('gives the same plan again, also for several platforms', async () => {
    await fc.assert(
      fc.asyncProperty(dockerfile, async (text) => {
        const plan = await planOf(text, { platforms: [amd64, arm64] })
        assert.deepEqual(await planOf(text, { platforms: [amd64, arm64] }), plan)
        assert.equal(plan.images.length, 2)
      }),
      { numRuns: 100 },
    )
  })

  it('has the steps of its history as its root filesystem, in order, and resolves what is reached alone', async () => {
    await fc.assert(
      fc.asyncProperty(dockerfile, async (text) => {
        const images = new FakeImages()
        const plan = await planOf(text, {}, images)
        const [image] = plan.images
        assert.ok(image !== undefined)
        const steps = image.history.flatMap(({ step }) => step ?? [])
        const [bottom, ...chain] = chainOf(image.filesystem)
        assert.deepEqual(steps, chain)
        assert.equal(bottom?.kind === 'image', image.base !== undefined)
        const used = new Set(
          [...reachable(image)].flatMap((origin) => (origin.kind === 'image' ? [origin.name] : [])),
        )
        assert.deepEqual(new Set(images.asked.map((asked) => asked.split(' ')[0])), used)
        assert.equal(plan.materials.length, used.size)
      }),
      { numRuns: 200 },
    )
  })

  it('writes as many layers as its history says', async () => {
    await fc.assert(
      fc.asyncProperty(dockerfile, fc.func(fc.boolean()), async (text, changed) => {
        const [image] = (await planOf(text)).images
        assert.ok(image !== undefined)
        const layer = (step: Filesystem) =>
          changed('label' in step ? step.label?.name : '') ? layerOf(step) : undefined
        const { rootfs, history = [] } = imageConfig(image, layer, { now: '2026-01-01T00:00:00Z' })
        const filled = (history ?? []).filter((entry) => entry.empty_layer !== true)
        assert.equal(filled.length, rootfs.diff_ids.length)
      }),
      { numRuns: 100 },
    )
  })

  it('has in the configuration what an instruction sets', async () => {
    for (const [template, field] of Object.entries(METADATA)) {
      const text = template.replaceAll('%', '7')
      const before = await onlyImage(`FROM bb:1\n`)
      const after = await onlyImage(`FROM bb:1\n${text}\n`)
      const inherited = await onlyImage(`FROM bb:1 AS a\n${text}\nFROM a\n`)
      assert.notDeepEqual(Object.entries(after.config), Object.entries(before.config), text)
      assert.match(JSON.stringify(after.config[field as keyof typeof after.config]), /7/, text)
      // A trigger is for the next image alone.
      if (field !== 'OnBuild') assert.deepEqual(inherited.config, after.config, text)
    }
  })

  it('throws nothing but errors that say what is wrong', async () => {
    const words = fc.constantFrom(
      ...'FROM bb:1 scratch AS a b \n \n \n RUN COPY ADD --from=a --from=1 --mount=from=b --mount=type=cache,target=/ $X ${Y:?no} . / <<E E WORKDIR ARG X=1 --network=host --platform=$T http://h/x --chmod=9'.split(
        ' ',
      ),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(words, { maxLength: 25 }), async (parts) => {
        const outcome: BuildPlan | EngineError = await planOf(`FROM bb:1\n${parts.join(' ')}`).catch(
          (error: unknown) => {
            if (error instanceof EngineError) return error
            throw error
          },
        )
        if (outcome instanceof EngineError) assert.notEqual(outcome.kind, 'internal')
      }),
      { numRuns: 500 },
    )
  })
})

async function onlyImage(text: string): Promise<ImagePlan> {
  const [image] = (await planOf(text)).images
  assert.ok(image !== undefined)
  return image
}

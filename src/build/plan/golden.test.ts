/**
 * Dockerfiles and what Docker 28.5 (BuildKit 0.25) has written for them: test/golden/build/NAME has the file, what was asked,
 * and in docker.json the image's configuration and the names of the steps that were shown.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { History, ImageConfig } from '#oci/image-spec.ts'
import { parsePlatform } from '#oci/platform.ts'
import type { FileOrigin, Filesystem, ImagePlan } from '../graph/operations.ts'
import { imageConfig } from './image-config.ts'
import { layerOf, planOf } from './plan.fixture.ts'

const GOLDEN = join(import.meta.dirname, '../../../test/golden/build')

interface Golden {
  readonly image: Partial<ImageConfig> & { readonly layers: number }
  readonly steps: readonly string[]
}

describe('planBuild(), beside BuildKit', () => {
  for (const { name } of readdirSync(GOLDEN, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )) {
    it(name, async () => {
      const read = (file: string): string => readFileSync(join(GOLDEN, name, file), 'utf8')
      const { platform, ...request } = JSON.parse(read('request.json')) as { platform?: string }
      const platforms = platform === undefined ? {} : { platforms: [parsePlatform(platform)] }
      const plan = await planOf(read('Dockerfile'), { ...request, ...platforms })
      const [image] = plan.images
      assert.ok(image !== undefined)
      const golden = JSON.parse(read('docker.json')) as Golden
      assert.deepEqual(shown(image, plan.epoch), golden.image)
      const names = [...namesOf(image.filesystem)]
      // BuildKit counts triggers twice, and FROM before it knows of any.
      const triggers = golden.steps.some((step) => step.includes('] ONBUILD '))
      const shape = (step: string): string => (triggers ? totalless(step) : step)
      for (const step of golden.steps) assert.ok(names.map(shape).includes(shape(step)), step)
      for (const step of names) assert.ok(golden.steps.map(textOf).includes(textOf(step)), step)
    })
  }
})

function totalless(step: string): string {
  return step.replace(/ *(\d+)\/\d+\]/, ' $1]')
}

/** Steps of several stages that do the same are shown once by BuildKit, as those of the first. */
function textOf(step: string): string {
  return step.replace(/^\[[^\]]*\]/, '')
}

/** The configuration without what two builds never have in common. */
function shown(image: ImagePlan, epoch: number | undefined): unknown {
  const options = { now: '2026-11-21T00:00:00Z', epoch }
  const { rootfs, created, history, ...config } = imageConfig(image, layerOf, options)
  const entries = (history ?? []).slice(image.baseHistory.length)
  return {
    ...config,
    ...(epoch === undefined ? {} : { created }),
    history: entries.map((entry) => timeless(entry, epoch)),
    layers: rootfs.diff_ids.length,
  }
}

function timeless({ comment, created, ...entry }: History, epoch: number | undefined): History {
  assert.equal(comment, 'buildkit.dockerfile.v0')
  return epoch === undefined ? entry : { ...entry, created: created ?? null }
}

/** Names of all steps that the filesystem needs. */
function namesOf(top: Filesystem): ReadonlySet<string> {
  const names = new Set<string>()
  const seen = new Set<FileOrigin>()
  const open: FileOrigin[] = [top]
  for (let origin = open.pop(); origin !== undefined; origin = open.pop()) {
    if (seen.has(origin)) continue
    seen.add(origin)
    if ('label' in origin && origin.label?.stage !== undefined) names.add(origin.label.name)
    if ('on' in origin) open.push(origin.on)
    if (origin.kind === 'copy')
      open.push(...origin.sources.flatMap((source) => (source.type === 'files' ? [source.from] : [])))
    if (origin.kind === 'run')
      open.push(...origin.mounts.flatMap((mount) => ('from' in mount && mount.from ? [mount.from] : [])))
  }
  return names
}

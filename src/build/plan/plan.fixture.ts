import type { Digest } from '#base/digest.ts'
import { digestOf } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import type { RunConfig } from '#oci/image-spec.ts'
import { formatPlatform, type Platform } from '#oci/platform.ts'
import type { Filesystem } from '../graph/operations.ts'
import type { BuildPlan, BuildRequest, ImageResolver, ResolvedImage } from '../graph/plan.ts'
import { planBuild } from './plan-build.ts'

export const amd64: Platform = { os: 'linux', architecture: 'amd64' }
export const arm64: Platform = { os: 'linux', architecture: 'arm64' }

/** What Docker's `import` of a root filesystem gives, with these configurations. */
const CONFIGS: Readonly<Record<string, RunConfig>> = {
  'bb:1': { Env: ['PATH=/bin:/usr/bin'], Cmd: ['sh'] },
  'bb:bare': {},
  'ob:1': {
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
    OnBuild: ['ENV T=$A', 'RUN echo "$T" > /trigger', 'WORKDIR made', 'ARG X=x'],
  },
}

export const BASE_CREATED = '2026-01-02T03:04:05.678901234Z'

/** Images by their names, all of one layer; it counts who was asked for. */
export class FakeImages implements ImageResolver {
  readonly asked: string[] = []
  readonly #configs: Readonly<Record<string, RunConfig>>

  constructor(configs: Readonly<Record<string, RunConfig>> = {}) {
    this.#configs = { ...CONFIGS, ...configs }
  }

  async resolve(reference: string, platform: Platform): Promise<ResolvedImage> {
    this.asked.push(`${reference} ${formatPlatform(platform)}`)
    const config = this.#configs[reference]
    if (config === undefined)
      throw new EngineError('not_found', `no such image: ${reference}`, { code: 'IMAGE_NOT_FOUND' })
    const layer = digestOf(`layer of ${reference} for ${formatPlatform(platform)}`)
    return {
      id: digestOf(`${reference} for ${formatPlatform(platform)}`),
      manifest: undefined,
      reference: `docker.io/library/${reference}`,
      layers: [layer],
      config: {
        os: platform.os,
        architecture: platform.architecture,
        ...(platform.variant === undefined ? {} : { variant: platform.variant }),
        config,
        rootfs: { type: 'layers', diff_ids: [layer] },
        history: [{ created: BASE_CREATED, comment: 'Imported from -' }],
      },
    }
  }
}

export function requestOf(dockerfile: string, more: Partial<BuildRequest> = {}): BuildRequest {
  return {
    dockerfile,
    dockerfileName: 'Dockerfile',
    ignore: undefined,
    target: undefined,
    buildArgs: {},
    labels: {},
    platforms: [amd64],
    contexts: new Map(),
    noCache: false,
    noCacheFilter: [],
    network: 'default',
    extraHosts: [],
    limits: {},
    entitlements: new Set(),
    allow: new Set(),
    ...more,
  }
}

export async function planOf(
  dockerfile: string,
  more: Partial<BuildRequest> = {},
  images: ImageResolver = new FakeImages(),
): Promise<BuildPlan> {
  const { signal } = new AbortController()
  return planBuild(requestOf(dockerfile, more), images, { signal, buildPlatform: amd64 })
}

/** The steps of a root filesystem, the bottom first. */
export function chainOf(filesystem: Filesystem): readonly Filesystem[] {
  return 'on' in filesystem ? [...chainOf(filesystem.on), filesystem] : [filesystem]
}

/** A layer for every step, as if all had changed something. */
export function layerOf(step: Filesystem): Digest | undefined {
  return 'on' in step ? digestOf(step.label.name) : undefined
}

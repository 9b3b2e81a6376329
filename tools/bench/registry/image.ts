/** The image that is pulled and pushed: a Debian with compilers, about 600 MB in 18,000 files and four layers. */
import { createHash } from 'node:crypto'
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { digestFrom } from '#base/digest.ts'
import { output } from '../../run-program.ts'

const PACKAGES = 'build-essential,python3,perl,git,cmake'
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip'
const CONFIG = 'application/vnd.docker.container.image.v1+json'
const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'

/** Bottom first; what no other layer has is in the first one. */
const parts: readonly (readonly string[])[] = [
  [],
  ['./usr/lib'],
  ['./usr/share', './usr/bin'],
  ['./usr/include'],
]

interface Blob {
  readonly file: string
  readonly digest: string
  readonly size: number
}

/** An image as files, ready to be sent to a registry. */
export interface BenchImage {
  readonly manifest: Uint8Array
  readonly mediaType: string
  readonly config: Blob
  readonly layers: readonly Blob[]
  /** For the heading. */
  readonly description: string
}

/** Makes the image below `directory` unless it is there. */
export async function makeBenchImage(directory: string): Promise<BenchImage> {
  const done = join(directory, 'image.json')
  if (!existsSync(done)) await build(directory, done)
  const { manifest, ...rest } = JSON.parse(readFileSync(done, 'utf8')) as Omit<BenchImage, 'manifest'> & {
    manifest: string
  }
  return { ...rest, manifest: Buffer.from(manifest) }
}

async function build(directory: string, done: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const root = join(directory, 'root')
  const { VERSION_CODENAME = 'bookworm' } = Object.fromEntries(
    readFileSync('/etc/os-release', 'utf8')
      .split('\n')
      .map((line) => line.split('=')),
  ) as Record<string, string>
  await output([
    'mmdebstrap',
    '--quiet',
    '--variant=minbase',
    `--include=${PACKAGES}`,
    VERSION_CODENAME,
    root,
  ])
  const files = Number(await output(['sh', '-c', 'find "$0" | wc -l', root]))

  const layers: Blob[] = []
  const diffIds: string[] = []
  let size = 0
  for (const [at, own] of parts.entries()) {
    const tar = join(directory, `layer-${at}.tar`)
    const others = at === 0 ? parts.flat() : []
    await output([
      'tar',
      '-C',
      root,
      '--sort=name',
      '--mtime=@0',
      '--numeric-owner',
      ...others.map((path) => `--exclude=${path}`),
      '-cf',
      tar,
      ...(at === 0 ? ['.'] : own),
    ])
    diffIds.push(await digestOf(tar))
    size += statSync(tar).size
    await output(['gzip', '--no-name', tar])
    layers.push(await blobOf(`${tar}.gz`))
  }
  rmSync(root, { recursive: true })
  const config = join(directory, 'config.json')
  writeFileSync(config, JSON.stringify(configOf(diffIds)))
  const image = { config: await blobOf(config), layers, mediaType: MANIFEST }
  const compressed = layers.reduce((sum, layer) => sum + layer.size, 0)
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
  const description = `${megabytes(size)}, ${files.toLocaleString('en')} files, ${layers.length} layers, ${megabytes(compressed)} compressed`
  writeFileSync(`${done}.part`, JSON.stringify({ ...image, description, manifest: manifestOf(image) }))
  renameSync(`${done}.part`, done)
}

function configOf(diffIds: readonly string[]): object {
  return {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: '2020-01-01T00:00:00Z',
    config: { Cmd: ['bash'], Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map(() => ({ created: '2020-01-01T00:00:00Z', created_by: 'bench' })),
  }
}

function manifestOf({ config, layers }: Pick<BenchImage, 'config' | 'layers'>): string {
  const descriptor = (mediaType: string, { digest, size }: Blob): object => ({ mediaType, size, digest })
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: descriptor(CONFIG, config),
    layers: layers.map((layer) => descriptor(LAYER, layer)),
  })
}

async function blobOf(file: string): Promise<Blob> {
  return { file, digest: await digestOf(file), size: statSync(file).size }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
    hash.update(chunk as Uint8Array)
  return digestFrom(hash)
}

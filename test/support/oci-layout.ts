import { createHash } from 'node:crypto'
import { digestOf } from '#base/digest.ts'
import { member, tarOf } from './busybox-image.ts'

export interface LayoutImage {
  readonly name: string
  readonly rootfs: Uint8Array
  /** The `config` of the image's configuration. */
  readonly config: object
  /** Of the manifest, of its descriptors and of the index. */
  readonly annotations?: Readonly<Record<string, string>>
}

/** An archive in OCI's layout with one image of one layer, which says whatever it is told to. */
export async function ociLayout({ name, rootfs, config, annotations = {} }: LayoutImage): Promise<Buffer> {
  const blobs = new Map<string, Uint8Array>()
  const add = (mediaType: string, content: Uint8Array | object): object => {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content))
    const hash = createHash('sha256').update(bytes).digest('hex')
    blobs.set(hash, bytes)
    return {
      mediaType: `application/vnd.oci.image.${mediaType}`,
      digest: `sha256:${hash}`,
      size: bytes.length,
      annotations,
    }
  }
  const layer = add('layer.v1.tar', rootfs)
  const diffId = digestOf(rootfs)
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: add('config.v1+json', {
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: [diffId] },
    }),
    layers: [layer],
    annotations,
  }
  const top = {
    ...add('manifest.v1+json', manifest),
    annotations: { ...annotations, 'io.containerd.image.name': `docker.io/library/${name}` },
  }
  const index = { schemaVersion: 2, manifests: [top], annotations }
  return tarOf(
    member({ path: 'oci-layout' }, '{"imageLayoutVersion":"1.0.0"}'),
    member({ path: 'index.json' }, JSON.stringify(index)),
    ...[...blobs].map(([hash, bytes]) => member({ path: `blobs/sha256/${hash}` }, bytes)),
  )
}

import { digestOf, hexOf } from '#base/digest.ts'
import type { RunConfig } from '#oci/image-spec.ts'
import { hostPlatform } from '#oci/platform.ts'
import { busyboxTar, member, tarOf } from './busybox-image.ts'

/** An image `name` of busybox, as `docker save` once wrote images: Docker loads it too. */
export async function baseArchive(name: string, config: RunConfig): Promise<Buffer> {
  const layer = await busyboxTar(member({ path: 'base', mode: 0o755 }, '#!/bin/sh\n'))
  const { os, architecture } = hostPlatform()
  const created = '2026-01-02T03:04:05Z'
  const document = JSON.stringify({
    os,
    architecture,
    created,
    config,
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    history: [{ created, created_by: 'busybox' }],
  })
  const id = `${hexOf(digestOf(document))}.json`
  const manifest = JSON.stringify([{ Config: id, RepoTags: [`${name}:latest`], Layers: ['layer.tar'] }])
  return tarOf(
    member({ path: id }, document),
    member({ path: 'layer.tar' }, layer),
    member({ path: 'manifest.json' }, manifest),
  )
}

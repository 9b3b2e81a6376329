import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { engineErrorOf, messageOf } from '#base/errors.ts'
import { writeIndex } from '#oci/erofs/index-writer.ts'
import { LayerTree } from '#oci/tar/layer-tree.ts'
import { TarParser } from '#oci/tar/parser.ts'
import { writeTar } from '#oci/tar/write-tar.ts'
import type { Helper } from '#os/helper.ts'

export interface SnapshotsProbe {
  readonly driver: 'erofs' | 'directory'
  /** For people: `berth info` and the log show it. */
  readonly reason: string
}

const CONTENT = 'berth\n'

/**
 * Finds out how layers are stored on this machine: mounts a tiny image that lies in the data root, with overlayfs on
 * top, and reads a file through both. Never rejects because of the kernel.
 */
export async function probeSnapshots(deps: {
  readonly dataRoot: string
  readonly execRoot: string
  readonly helper: Helper
}): Promise<SnapshotsProbe> {
  const directory = join(deps.dataRoot, 'staging', 'probe')
  await rm(directory, { recursive: true, force: true })
  await mkdir(join(directory, 'top'), { recursive: true })
  try {
    await mountAndRead(deps, directory)
    return { driver: 'erofs', reason: 'EROFS images mount from files in the data root' }
  } catch (error) {
    const text = messageOf(engineErrorOf(error) ?? error)
    return { driver: 'directory', reason: `EROFS cannot be used in ${deps.dataRoot}: ${text}` }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function mountAndRead(
  { helper, execRoot }: { readonly execRoot: string; readonly helper: Helper },
  directory: string,
): Promise<void> {
  const index = join(directory, 'index.erofs')
  const tar = join(directory, 'layer.tar')
  await writeImage(index, tar)

  await using mounts = new AsyncDisposableStack()
  const layer = join(execRoot, 'mnt', 'probe', 'layer')
  const view = join(execRoot, 'mnt', 'probe', 'view')
  await helper.mountErofs(index, tar, layer)
  mounts.defer(() => helper.unmount(layer))
  await helper.mountView(view, [join(directory, 'top'), layer])
  mounts.defer(() => helper.unmount(view))
  const content = await readFile(`/proc/${helper.pid}/root${view}/probe`, 'utf8')
  if (content !== CONTENT) throw new Error('a file of the mounted image has other content')
}

async function writeImage(indexPath: string, tarPath: string): Promise<void> {
  const tree = new LayerTree()
  const parser = new TarParser(tree)
  const entry = {
    type: 'file',
    path: 'probe',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    size: CONTENT.length,
  } as const
  let size = 0
  await using tar = await open(tarPath, 'wx', 0o600)
  for await (const chunk of writeTar([{ entry, data: [Buffer.from(CONTENT)] }])) {
    parser.push(chunk)
    await tar.writeFile(chunk)
    size += chunk.length
  }
  parser.end()
  await using index = await open(indexPath, 'wx', 0o600)
  await index.writeFile(writeIndex(tree, { tarSize: size, uuid: new Uint8Array(16) }))
}

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

interface ProbeDeps {
  readonly dataRoot: string
  readonly execRoot: string
  readonly helper: Helper
}

const CONTENT = 'berth\n'

/**
 * Finds out how layers are stored on this machine: mounts a tiny image that lies in the data root, with overlayfs on
 * top, and reads a file through both. Never rejects because of the kernel.
 */
export async function probeSnapshots(deps: ProbeDeps): Promise<SnapshotsProbe> {
  try {
    await probe(deps, join(deps.dataRoot, 'probe'))
    return { driver: 'erofs', reason: 'EROFS images mount from files in the data root' }
  } catch (error) {
    const text = messageOf(engineErrorOf(error) ?? error)
    return { driver: 'directory', reason: `EROFS cannot be used in ${deps.dataRoot}: ${text}` }
  }
}

/** The image stays: the next start may find the disk full. One that a power cut has damaged is made anew. */
async function probe(deps: ProbeDeps, directory: string): Promise<void> {
  if (await worksAsItIs(deps, directory)) return
  await rm(directory, { recursive: true, force: true })
  await mkdir(join(directory, 'top'), { recursive: true })
  await writeImage(directory)
  await mountAndRead(deps, directory)
}

async function worksAsItIs(deps: ProbeDeps, directory: string): Promise<boolean> {
  try {
    await mountAndRead(deps, directory)
    return true
  } catch {
    return false // missing or damaged: a new one tells why
  }
}

async function mountAndRead({ helper, execRoot }: ProbeDeps, directory: string): Promise<void> {
  await using mounts = new AsyncDisposableStack()
  const layer = join(execRoot, 'mnt', 'probe', 'layer')
  const view = join(execRoot, 'mnt', 'probe', 'view')
  await helper.mountErofs(indexOf(directory), tarOf(directory), layer)
  mounts.defer(() => helper.unmount(layer))
  await helper.mountView(view, [join(directory, 'top'), layer])
  mounts.defer(() => helper.unmount(view))
  const content = await readFile(`/proc/${helper.pid}/root${view}/probe`, 'utf8')
  if (content !== CONTENT) throw new Error('a file of the mounted image has other content')
}

async function writeImage(directory: string): Promise<void> {
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
  await using tar = await open(tarOf(directory), 'wx', 0o600)
  for await (const chunk of writeTar([{ entry, data: [Buffer.from(CONTENT)] }])) {
    parser.push(chunk)
    await tar.writeFile(chunk)
    size += chunk.length
  }
  parser.end()
  await using index = await open(indexOf(directory), 'wx', 0o600)
  await index.writeFile(writeIndex(tree, { tarSize: size, uuid: new Uint8Array(16) }))
}

function indexOf(directory: string): string {
  return join(directory, 'index.erofs')
}

function tarOf(directory: string): string {
  return join(directory, 'layer.tar')
}

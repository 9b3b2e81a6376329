import type { Digest } from '#base/digest.ts'
import { formatPlatform, type Platform } from '#oci/platform.ts'
import type { TarEntry } from '#oci/tar/entry.ts'
import { type TarSource, writeTar } from '#oci/tar/write-tar.ts'
import type { Helper } from '#os/helper.ts'
import type { Trees } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import { tarOfTree } from '../containers/tree-tar.ts'
import type { Artifact } from './artifacts.ts'

export interface RootArchiveDeps {
  readonly snapshots: Pick<Snapshots, 'view'>
  readonly helper: Pick<Helper, 'pid'>
  readonly trees: Pick<Trees, 'read'>
}

export interface BuiltRoot {
  readonly platform: Platform
  /** Bottom first. */
  readonly layers: readonly Digest[]
}

/**
 * The files of what was built, as one tar: `type=local` and `type=tar`. Of several platforms each has a directory,
 * `linux_amd64`. The layers stay mounted until it is disposed.
 */
export async function rootArchive(deps: RootArchiveDeps, roots: readonly BuiltRoot[]): Promise<Artifact> {
  await using held = new AsyncDisposableStack()
  const views: { readonly path: string | undefined; readonly platform: Platform }[] = []
  for (const { platform, layers } of roots) {
    const view = layers.length === 0 ? undefined : held.use(await deps.snapshots.view(layers))
    views.push({ platform, path: view?.path })
  }
  const kept = held.move()
  async function* entries(): AsyncGenerator<TarSource> {
    for (const { platform, path } of views) {
      const prefix = views.length === 1 ? '' : formatPlatform(platform).replaceAll('/', '_')
      if (prefix !== '') yield { entry: directory(prefix), data: [] }
      if (path === undefined) continue
      const tree = deps.trees.read({ join: deps.helper.pid, root: path }, '/', { name: '' })
      for await (const source of tarOfTree(tree)) yield prefix === '' ? source : below(prefix, source)
    }
  }
  return { read: () => writeTar(entries()), [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

function below(prefix: string, { entry, data }: TarSource): TarSource {
  const link =
    entry.type === 'hardlink' && entry.link !== undefined ? { link: `${prefix}/${entry.link}` } : {}
  return { entry: { ...entry, ...link, path: `${prefix}/${entry.path}` }, data }
}

function directory(path: string): TarEntry {
  const mtime = { seconds: 0, nanoseconds: 0 }
  return { type: 'directory', path, mode: 0o755, uid: 0, gid: 0, mtime, size: 0 }
}

import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { jsonLogger } from '#base/logger.ts'
import { startHelper, type NativeHelper } from '#os/native-helper.ts'
import { NativeTrees } from '#os/native-trees.ts'
import { DiskSnapshots } from '#store/snapshots/disk-snapshots.ts'
import { nativeBuild, temporaryDirectory } from '#test/support/native.ts'

export const logger = jsonLogger((line) => process.stderr.write(line), 'error')

export interface Store extends AsyncDisposable {
  readonly root: string
  readonly dataRoot: string
  readonly execRoot: string
  readonly helper: NativeHelper
  readonly trees: NativeTrees
  readonly snapshots: DiskSnapshots
  /** A path of the helper's mount namespace as this process sees it. */
  seen(path: string): string
  leftovers(): Promise<readonly string[]>
}

/** A store of its own, with a helper of its own, in a directory of its own. */
export async function startStore(
  driver: 'erofs' | 'directory',
  options: { readonly dataRoot?: string } = {},
): Promise<Store> {
  await using resources = new AsyncDisposableStack()
  const { path: root } = resources.use(await temporaryDirectory('snapshots'))
  const execRoot = join(root, 'exec')
  const dataRoot = options.dataRoot ?? join(root, 'data')
  await mkdir(execRoot)
  const helper = resources.use(await startHelper({ execRoot, buildDir: nativeBuild, logger }))
  const trees = new NativeTrees(nativeBuild)
  const snapshots = resources.use(new DiskSnapshots({ dataRoot, execRoot, helper, trees, logger, driver }))
  await snapshots.recover()
  const owned = resources.move()
  return {
    root,
    dataRoot,
    execRoot,
    helper,
    trees,
    snapshots,
    seen: (path) => `/proc/${helper.pid}/root${path}`,
    leftovers: async () => {
      await snapshots.idle()
      return [...(await readdir(join(dataRoot, 'staging'))), ...(await readdir(join(dataRoot, 'trash')))]
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

import { NativeTrees } from '#os/native-trees.ts'
import { treesSuite } from '#os/tree.suite.ts'
import { nativeBuild, temporaryDirectory } from '#test/support/native.ts'

treesSuite('NativeTrees', async () => {
  const directory = await temporaryDirectory('tree')
  return {
    trees: new NativeTrees(nativeBuild),
    root: { directory: directory.path },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
})

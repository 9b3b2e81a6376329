import { FakeTrees } from './fake-trees.ts'
import { treesSuite } from './tree.suite.ts'

treesSuite('FakeTrees', async () => ({
  trees: new FakeTrees(),
  root: { directory: '/' },
  [Symbol.asyncDispose]: async () => undefined,
}))

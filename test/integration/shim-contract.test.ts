import { shimsSuite } from '#runtime/shims.suite.ts'
import { ShimContainers } from '#test/support/shim-containers.ts'

shimsSuite('NativeShims', async () => {
  const containers = await ShimContainers.open('shim-contract')
  return {
    shims: containers.shims,
    prepare: (args, options = {}) => containers.prepare({ args, shim: options }),
    prepareExec: (directory, id, args) => containers.writeExec({ directory }, id, { args }),
    [Symbol.asyncDispose]: () => containers[Symbol.asyncDispose](),
  }
})

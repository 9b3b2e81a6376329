import { FakeNames } from './fake-names.ts'
import { namesSuite } from './names.suite.ts'

namesSuite('FakeNames', async () => {
  const names = new FakeNames()
  let pid = 1
  return {
    names,
    container: async () => ({
      pid: ++pid,
      lookup: async (id, name) => names.lookup(id, name),
      reverse: async (id, address) => names.lookup(id, address)?.[0],
      end: async (id) => names.ended(id),
    }),
    [Symbol.asyncDispose]: () => names[Symbol.asyncDispose](),
  }
})

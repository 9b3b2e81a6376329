import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeShims } from './fake-shims.ts'
import type { ShimConfig } from './shim.ts'
import { shimsSuite } from './shims.suite.ts'

shimsSuite('FakeShims', async () => {
  const root = await mkdtemp(join(tmpdir(), 'berth-fake-shims-'))
  let count = 0
  return {
    shims: new FakeShims(),
    prepare: async (args, options) => {
      const directory = join(root, String(count++))
      await mkdir(join(directory, 'exec'), { recursive: true })
      await writeFile(join(directory, 'config.json'), JSON.stringify({ process: { args } }))
      return { directory, config: configOf(directory, options) }
    },
    prepareExec: (directory, id, args) =>
      writeFile(join(directory, 'exec', `${id}.json`), JSON.stringify({ args })),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
})

function configOf(directory: string, options: Partial<ShimConfig> = {}): ShimConfig {
  return {
    id: '0'.repeat(64),
    runtime: '/bin/false',
    runtimeRoot: directory,
    bundle: directory,
    rootfs: join(directory, 'rootfs'),
    lower: [],
    upper: '',
    work: '',
    volatile: false,
    tty: false,
    stdin: false,
    stdinOnce: false,
    exitRecord: join(directory, 'exit'),
    network: { mode: 'none', sysctls: {} },
    shares: [],
    ...options,
  }
}

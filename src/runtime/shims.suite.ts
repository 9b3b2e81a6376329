import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import type { Shim, ShimConfig, ShimEvent, Shims } from './shim.ts'

/** Shims, and bundles for them to run: `true`, `false`, `echo`, `cat` and `sleep` are found, `nosuch` is not. */
export interface ShimsUnderTest extends AsyncDisposable {
  readonly shims: Shims
  prepare(
    args: readonly string[],
    options?: Partial<ShimConfig>,
  ): Promise<{ readonly directory: string; readonly config: ShimConfig }>
  prepareExec(directory: string, id: string, args: readonly string[]): Promise<void>
}

const OUTPUT = { stdin: false, stdout: true, stderr: true }
const ALL = { stdin: true, stdout: true, stderr: true }
const DETACHED = { stdin: false, stdout: false, stderr: false }

/** stdout of a stream without terminal. */
async function stdoutOf(stream: Duplex | undefined): Promise<string> {
  const bytes = stream === undefined ? Buffer.alloc(0) : await buffer(stream)
  let text = ''
  for (let at = 0, size = 0; at < bytes.length; at += 8 + size) {
    size = bytes.readUInt32BE(at + 4)
    if (bytes[at] === 1) text += bytes.toString('utf8', at + 8, at + 8 + size)
  }
  return text
}

async function next<T extends ShimEvent['type']>(
  shim: Shim,
  type: T,
): Promise<Extract<ShimEvent, { type: T }>> {
  for await (const event of shim.watch()) {
    if (event.type === type) return event as Extract<ShimEvent, { type: T }>
  }
  throw new Error(`ended without ${type}`)
}

async function typesOf(shim: Shim): Promise<string[]> {
  const types: string[] = []
  for await (const { type } of shim.watch()) types.push(type)
  return types
}

/** What every implementation of `Shims` promises. */
export function shimsSuite(name: string, open: () => Promise<ShimsUnderTest>): void {
  describe(name, () => {
    let world: ShimsUnderTest
    before(async () => {
      world = await open()
    })
    after(() => world[Symbol.asyncDispose]())

    const create = async (args: readonly string[], options?: Partial<ShimConfig>) => {
      const { directory, config } = await world.prepare(args, options)
      const shim = await world.shims.spawn(directory, config)
      await next(shim, 'ready')
      return { shim, directory, config }
    }

    it('tells the life of a process and leaves a record of its end', async () => {
      const { shim, directory, config } = await create(['false'])
      assert.equal(await world.shims.exitRecord(config.exitRecord), undefined)
      const types = typesOf(shim)
      const exit = next(shim, 'exit')
      const { pid } = await shim.start()

      assert.deepEqual(await types, ['ready', 'started', 'exit'])
      assert.ok(pid > 0)
      assert.equal((await exit).code, 1)
      assert.deepEqual(await world.shims.exitRecord(config.exitRecord), await exit)
      assert.equal(await world.shims.connect(directory), undefined)
      assert.equal(await shim.kill('init', 9), false)
    })

    it('forgets how an earlier life has ended', async () => {
      const { shim, directory, config } = await create(['false'])
      const exit = next(shim, 'exit')
      await shim.start()
      await exit
      for await (const _event of shim.watch());
      const again = await world.shims.spawn(directory, config)
      await next(again, 'ready')
      assert.equal(await world.shims.exitRecord(config.exitRecord), undefined)
      await again.discard()
    })

    it('fails to start with the words of the runtime', async () => {
      const { shim } = await create(['nosuch'])
      const types = typesOf(shim)
      await assert.rejects(shim.start(), /executable file .*not found/)
      assert.deepEqual(await types, ['ready', 'failed'])
    })

    it('starts once only', async () => {
      const { shim } = await create(['sleep', '1000'])
      const types = typesOf(shim)
      await shim.start()
      await assert.rejects(shim.start(), /already started/)
      await shim.kill('init', 9)
      assert.deepEqual(await types, ['ready', 'started', 'exit'])
    })

    it('ends without a process when it is discarded before the start', async () => {
      const { shim, directory } = await create(['true'])
      const types = typesOf(shim)
      assert.equal(await shim.kill('init', 9), false)
      await shim.discard()
      assert.deepEqual(await types, ['ready'])
      assert.equal(await world.shims.connect(directory), undefined)
    })

    it('gives output to whoever attached before the start', async () => {
      const { shim } = await create(['echo', 'two', 'words'])
      const outputs = [await shim.attach('init', OUTPUT), await shim.attach('init', OUTPUT)].map(stdoutOf)
      await shim.start()
      assert.deepEqual(await Promise.all(outputs), ['two words\n', 'two words\n'])
    })

    it('ends stdin with its only client', async () => {
      const { shim } = await create(['cat'], { stdin: true, stdinOnce: true })
      const exit = next(shim, 'exit')
      const stream = await shim.attach('init', ALL)
      stream.write('early ')
      await shim.start()
      stream.end('and late')
      assert.equal(await stdoutOf(stream), 'early and late')
      assert.equal((await exit).code, 0)
    })

    it('tells a new watcher what has happened before', async () => {
      const { shim, directory } = await create(['sleep', '1000'])
      await shim.start()
      const found = await world.shims.connect(directory)
      assert.ok(found)
      assert.deepEqual(await next(found, 'started'), await next(shim, 'started'))
      const types = typesOf(found)
      assert.equal(await found.kill('init', 9), true)
      assert.deepEqual(await types, ['ready', 'started', 'exit'])
    })

    it('runs further processes in the container, attached or not', async () => {
      const { shim, directory } = await create(['sleep', '1000'])
      await shim.start()
      await world.prepareExec(directory, 'one', ['cat'])
      const exit = next(shim, 'exec-exit')
      const { stream, pid } = await shim.exec('one', false, ALL)
      assert.ok(pid > 0)
      stream?.end('through')
      assert.equal(await stdoutOf(stream), 'through')
      const { exec, code } = await exit
      assert.deepEqual({ exec, code }, { exec: 'one', code: 0 })

      await world.prepareExec(directory, 'two', ['sleep', '1000'])
      assert.equal((await shim.exec('two', false, DETACHED)).stream, undefined)
      await assert.rejects(shim.resize('two', 1, 1), /no terminal/)
      await world.prepareExec(directory, 'three', ['nosuch'])
      await assert.rejects(shim.exec('three', false, OUTPUT), /executable file .*not found/)
      const [last, types] = [next(shim, 'exit'), typesOf(shim)]
      await shim.kill('init', 9)
      assert.equal((await last).code, 137)
      assert.equal((await types).at(-1), 'exit')
      await assert.rejects(shim.attach('init', OUTPUT), /ended|gone/)
    })
  })
}

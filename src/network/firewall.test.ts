import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import type { RunResult } from '#os/helper.ts'
import { Firewall } from './firewall.ts'
import type { Element } from './nft-elements.ts'

/** Records transactions; each nft run lasts until it is let go. */
function fakeNft() {
  const transactions: string[] = []
  const waiting: ((result: RunResult) => void)[] = []
  const result = (code: number): RunResult => ({
    code,
    stdout: '',
    stderr: code === 0 ? '' : 'Error: no table',
  })
  return {
    transactions,
    helper: {
      run: (argv: readonly string[], options: { readonly stdin?: string } = {}) => {
        if (argv.includes('list')) return Promise.resolve(result(1))
        transactions.push(options.stdin ?? '')
        return new Promise<RunResult>((resolve) => waiting.push(resolve))
      },
    },
    /** Ends the oldest run. */
    async finish(code = 0) {
      while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve))
      waiting.shift()?.(result(code))
    },
  }
}

const element = (port: number): Element => ({ set: 'dnat4any', key: `tcp . ${port}`, value: '10.0.0.2 . 80' })

describe('Firewall.change()', () => {
  it('puts changes that arrive during a run into one following run', async () => {
    const nft = fakeNft()
    const firewall = new Firewall({ ...nft, logger: silentLogger, table: 't' })
    const first = firewall.change([element(1)])
    await new Promise((resolve) => setImmediate(resolve))
    const rest = [firewall.change([element(2)]), firewall.change([element(3)], [element(1)])]
    await nft.finish()
    await first
    await nft.finish()
    await Promise.all(rest)
    assert.deepEqual(nft.transactions, [
      'add element inet t dnat4any { tcp . 1 : 10.0.0.2 . 80 }\n',
      `add element inet t dnat4any { tcp . 2 : 10.0.0.2 . 80 }
delete element inet t dnat4any { tcp . 1 }
add element inet t dnat4any { tcp . 3 : 10.0.0.2 . 80 }
`,
    ])
  })

  it('writes the whole table when the kernel refuses a change', async () => {
    const nft = fakeNft()
    const firewall = new Firewall({ ...nft, logger: silentLogger, table: 't' })
    const change = firewall.change([element(1)])
    await nft.finish(1)
    await nft.finish()
    await change
    assert.match(nft.transactions[1] ?? '', /^table inet t\ndelete table[^]*tcp \. 1 : 10\.0\.0\.2/)
  })

  it('forgets an addition that could not be made at all', async () => {
    const nft = fakeNft()
    const firewall = new Firewall({ ...nft, logger: silentLogger, table: 't' })
    const change = assert.rejects(firewall.change([element(1)]), /nft: Error: no table/)
    await nft.finish(1)
    await nft.finish(1)
    await change
    const reconciled = firewall.reconcile()
    await nft.finish()
    assert.equal(await reconciled, true)
    assert.ok(!nft.transactions.at(-1)?.includes('tcp . 1'))
  })
})

describe('Firewall.noticed()', () => {
  it('mends what was not our doing, and waits for what the kernel has not told of', async () => {
    const nft = fakeNft()
    const firewall = new Firewall({ ...nft, logger: silentLogger, table: 't' })
    const change = firewall.change([element(1)])
    // Told of while nft still runs, and after: our own.
    const early = firewall.noticed()
    await nft.finish()
    await change
    assert.equal(await early, false)
    const second = firewall.change([element(2)])
    await nft.finish()
    await second
    assert.equal(await firewall.noticed(), false)
    assert.equal(nft.transactions.length, 2)
    const theirs = firewall.noticed()
    await nft.finish()
    assert.equal(await theirs, true)
    assert.match(nft.transactions[2] ?? '', /^table inet t\ndelete table[^]*tcp \. 2/)
    assert.equal(await firewall.noticed(), false, 'of the mending itself')
  })
})

/** A kernel with one map; each run of nft is seen by `during`, before it answers. */
function fakeKernel(during: (argv: readonly string[]) => void) {
  const ports = new Set<string>()
  const written: string[] = []
  const elem = () =>
    [...ports].map((port) => [{ concat: ['tcp', Number(port)] }, { concat: ['10.0.0.2', 80] }])
  return {
    ports,
    written,
    async run(argv: readonly string[], { stdin = '' }: { readonly stdin?: string } = {}): Promise<RunResult> {
      const map = { name: 'dnat4any', type: ['inet_proto', 'inet_service'], elem: elem() }
      if (stdin !== '') written.push(stdin)
      if (stdin.includes('delete table')) ports.clear()
      for (const [, op, port = ''] of stdin.matchAll(
        /(add|delete) element inet t dnat4any \{ tcp \. (\d+)/g,
      )) {
        if (op === 'delete' && !ports.delete(port)) return { code: 1, stdout: '', stderr: 'no such element' }
        if (op === 'add') ports.add(port)
      }
      await new Promise((resolve) => setImmediate(resolve))
      during(argv)
      return { code: 0, stdout: JSON.stringify({ nftables: [{ map }] }), stderr: '' }
    },
  }
}

describe('Firewall.reconcile()', () => {
  it('takes changes that are under way for nobody’s doing', async () => {
    let busy: (() => void) | undefined
    const kernel = fakeKernel((argv) => argv.includes('list') && busy?.())
    const firewall = new Firewall({ helper: kernel, logger: silentLogger, table: 't' })
    await firewall.install(false)
    await firewall.change([element(1)])
    const changes: Promise<void>[] = []
    busy = () => {
      busy = undefined
      changes.push(firewall.change([element(2)], [element(1)]))
    }
    // One comes while the table is being read, one has been waiting before.
    const waiting = firewall.change([element(3)])
    const looked = firewall.reconcile()
    const before = firewall.reconcile()
    assert.deepEqual([await looked, await before], [false, false])
    await Promise.all([waiting, ...changes])
    assert.equal(await firewall.reconcile(), false)
    assert.deepEqual([...kernel.ports].toSorted(), ['2', '3'])
    assert.equal(kernel.written.filter((text) => text.includes('delete table')).length, 1)
  })
})

describe('Firewall.look()', () => {
  it('reads the table when events do not account for our changes, and now and then', async () => {
    let read = 0
    const kernel = fakeKernel((argv) => void (argv.includes('list') && read++))
    const firewall = new Firewall({ helper: kernel, logger: silentLogger, table: 't' })
    await firewall.install(false)
    await firewall.noticed()
    const reads = async (): Promise<number> => {
      read = 0
      await firewall.look()
      return read
    }
    assert.equal(await reads(), 0)
    await firewall.change([element(1)])
    assert.equal(await reads(), 1, 'the kernel has told of nothing')
    const looks: number[] = []
    for (let i = 0; i < 16; i++) looks.push(await reads())
    assert.equal(looks.filter((one) => one > 0).length, 2)
    kernel.ports.clear()
    assert.equal(await firewall.noticed(), true)
  })
})

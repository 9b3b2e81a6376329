/** Pull until runnable, removal and push, engine beside engine; and registries with one client. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rotated, timed } from '../measure.ts'
import { type Row, Samples } from '../samples.ts'
import { berthFresh, dockerFresh, type FreshEngine, openPeers, podmanFresh } from './engines.ts'
import type { BenchImage } from './image.ts'
import { berthRegistry, debianRegistry } from './registries.ts'
import { fetchImage, sendImage } from './transfer.ts'

const NAME = 'bench'
const PORT = 5401

interface Effort {
  readonly rounds: number
  readonly progress: (text: string) => void
}

interface Column {
  readonly name: string
}

interface Table<C extends Column> {
  readonly columns: readonly C[]
  readonly rows: readonly Row<C>[]
}

const engines = [
  { name: 'docker', make: dockerFresh },
  { name: 'podman', make: podmanFresh },
  { name: 'berth', make: berthFresh },
] as const

/** From a registry into nothing, and out again: each time on a new filesystem. */
export async function engineTransfers(
  tool: string,
  image: BenchImage,
  { rounds, progress }: Effort,
): Promise<Table<(typeof engines)[number]>> {
  await using peers = await openPeers(tool)
  using filled = temporary()
  await withOpened(debianRegistry({ inside: [], directory: filled.path, port: PORT }), (registry) =>
    sendImage(registry.address, NAME, '1', image),
  )
  const pull = new Samples<(typeof engines)[number]>()
  const runnable = new Samples<(typeof engines)[number]>()
  const push = new Samples<(typeof engines)[number]>()
  const removal = new Samples<(typeof engines)[number]>()
  await using source = await debianRegistry({ inside: peers.network, directory: filled.path, port: PORT })
  const reference = `${source.address}/${NAME}:1`
  for (let turn = 0; turn < rounds; turn++) {
    for (const column of rotated(engines, turn)) {
      progress(`pull, push and rmi, ${column.name}, ${turn + 1}/${rounds}`)
      using empty = temporary()
      await using target = await debianRegistry({
        inside: peers.network,
        directory: empty.path,
        port: PORT + 1,
      })
      await using engine = await column.make(peers)
      const { client, plain } = engine
      const pulled = timed([...client, 'pull', ...plain, '-q', reference])
      pull.add(column, pulled)
      runnable.add(column, pulled + timed([...client, 'run', '--rm', reference, 'true']))
      const copy = `${target.address}/copy:1`
      push.add(column, pushed(engine, reference, copy))
      removal.add(column, timed([...client, 'rmi', reference, copy]))
    }
  }
  return {
    columns: engines,
    rows: [
      runnable.row('`pull`, then `run --rm IMAGE true`', 'ms'),
      pull.row('`pull` alone', 'ms'),
      push.row('`push` to an empty registry', 'ms'),
      removal.row('`rmi`', 'ms'),
    ],
  }
}

function pushed({ client, plain }: FreshEngine, from: string, to: string): number {
  timed([...client, 'tag', from, to])
  return timed([...client, 'push', ...plain, '-q', to])
}

const registries = [
  { name: 'docker-registry', make: debianRegistry },
  { name: 'berth registry', make: berthRegistry },
] as const

/** One plain client against each registry; nothing else is on its disk. */
export async function registryThroughput(
  image: BenchImage,
  { rounds, progress }: Effort,
): Promise<Table<(typeof registries)[number]>> {
  const send = new Samples<(typeof registries)[number]>()
  const fetch = new Samples<(typeof registries)[number]>()
  const megabytes = image.layers.reduce((sum, { size }) => sum + size, 0) / 1e6
  const rate = async (work: Promise<void>): Promise<number> => {
    const start = performance.now()
    await work
    return (megabytes * 1000) / (performance.now() - start)
  }
  for (let turn = 0; turn < rounds; turn++) {
    for (const column of rotated(registries, turn)) {
      progress(`push to and pull from ${column.name}, ${turn + 1}/${rounds}`)
      using empty = temporary()
      await using registry = await column.make({ inside: [], directory: empty.path, port: PORT })
      send.add(column, await rate(sendImage(registry.address, NAME, '1', image)))
      fetch.add(column, await rate(fetchImage(registry.address, NAME, '1', image)))
    }
  }
  return {
    columns: registries,
    rows: [fetch.row('pull by one client, MB', '/s'), send.row('push by one client, MB', '/s')],
  }
}

async function withOpened<T extends AsyncDisposable>(
  opening: Promise<T>,
  work: (opened: T) => Promise<void>,
): Promise<void> {
  await using opened = await opening
  await work(opened)
}

function temporary(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'berth-bench-registry-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

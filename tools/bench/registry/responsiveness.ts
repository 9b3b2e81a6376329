/**
 * Does the engine answer others while it moves a large image? `GET /_ping` every few milliseconds, each on time whatever
 * became of the one before it, during pull, push, save, load, fsck and rmi of the image that the benchmark uses.
 *
 *     node tools/bench/registry/responsiveness.ts
 *
 * What else the machine does is in the figures: the first row shows how much.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { PrivateEngine } from '../../private-engine.ts'
import { output } from '../../run-program.ts'
import { makeBenchImage } from './image.ts'
import { berthRegistry } from './registries.ts'
import { sendImage } from './transfer.ts'

const EVERY_MS = 5
const PORT = 5411

const image = await makeBenchImage(join(import.meta.dirname, '../../../.cache/images/bench'))
const directory = mkdtempSync(join(tmpdir(), 'berth-responsiveness-'))
await using opened = new AsyncDisposableStack()
opened.defer(() => rmSync(directory, { recursive: true }))
const registry = async (name: string, port: number) =>
  opened.use(await berthRegistry({ inside: [], directory: join(directory, name), port }))
const source = await registry('source', PORT)
const target = await registry('target', PORT + 1)
await sendImage(source.address, 'bench', '1', image)
await output(['sync'])
const engine = opened.use(await PrivateEngine.start('responsiveness'))
const docker = (...args: readonly string[]) => output(['docker', '-H', engine.host, ...args])

const reference = `${source.address}/bench:1`
const copy = `${target.address}/copy:1`
const archive = join(directory, 'image.tar')
const steps: readonly (readonly [name: string, work: () => Promise<unknown>])[] = [
  ['nothing', () => delay(1000)],
  ['pull', () => docker('pull', '-q', reference)],
  ['push', () => docker('push', '-q', copy)],
  ['save', () => docker('save', '-o', archive, reference)],
  [
    'fsck',
    () =>
      output(['curl', '-s', '--unix-socket', join(engine.root, 'sock'), '-X', 'POST', 'http://x/berth/fsck']),
  ],
  ['rmi', () => docker('rmi', reference, copy)],
  ['load', () => docker('load', '-q', '-i', archive)],
  ['rmi of what was loaded', () => docker('rmi', reference)],
]
console.log('milliseconds of GET /_ping during  |  took   median      p99      max')
for (const [name, work] of steps) {
  if (name === 'push') await docker('tag', reference, copy)
  const { took, answers } = await pinged(work)
  const at = (share: number): string => (answers.at(Math.ceil(answers.length * share) - 1) ?? 0).toFixed(1)
  console.log(
    [name.padEnd(35), took.toFixed(0), at(0.5), at(0.99), at(1)].map((cell) => cell.padStart(9)).join(''),
  )
}

/** Sorted times to an answer while `work` was under way. */
async function pinged(work: () => Promise<unknown>): Promise<{ took: number; answers: readonly number[] }> {
  const agent = new Agent({ keepAlive: true })
  const answers: number[] = []
  const pending = new Set<Promise<void>>()
  const timer = setInterval(() => {
    const asked = ping(agent).then((time) => void answers.push(time))
    pending.add(asked)
    void asked.finally(() => pending.delete(asked))
  }, EVERY_MS)
  const started = performance.now()
  await work()
  const took = performance.now() - started
  clearInterval(timer)
  await Promise.all(pending)
  agent.destroy()
  return { took, answers: answers.toSorted((a, b) => a - b) }
}

async function ping(agent: Agent): Promise<number> {
  const started = performance.now()
  const asked = request({ agent, socketPath: join(engine.root, 'sock'), path: '/_ping' }).end()
  const [response] = (await once(asked, 'response')) as [NodeJS.ReadableStream]
  response.resume()
  await once(response, 'end')
  return performance.now() - started
}

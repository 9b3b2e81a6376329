/** Another machine beside the host of an engine: a namespace with a link to it. */
import { randomBytes } from 'node:crypto'
import { output, runProgram } from '../../run-program.ts'

/** The host's address on the link between them. */
export const HOST_ADDRESS = '10.203.77.1'
const NEIGHBOUR_ADDRESS = '10.203.77.2'

export interface Neighbour extends AsyncDisposable {
  /** What to put before a command that it is to run. */
  readonly inside: readonly string[]
}

/** `inside`: what to put before a command that the engine's host is to run. */
export async function startNeighbour(inside: readonly string[]): Promise<Neighbour> {
  const token = randomBytes(3).toString('hex')
  const [netns, link] = [`berth-bench-${token}`, `bench${token}`]
  await using made = new AsyncDisposableStack()
  await output(['ip', 'netns', 'add', netns])
  made.defer(async () => void (await runProgram(['ip', 'netns', 'delete', netns])))
  await output([...inside, 'ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', `${link}p`])
  made.defer(async () => void (await runProgram([...inside, 'ip', 'link', 'delete', link])))
  for (const command of [
    [...inside, 'ip', 'link', 'set', `${link}p`, 'netns', netns],
    [...inside, 'ip', 'addr', 'add', `${HOST_ADDRESS}/30`, 'dev', link],
    [...inside, 'ip', 'link', 'set', link, 'up'],
    ['ip', '-n', netns, 'addr', 'add', `${NEIGHBOUR_ADDRESS}/30`, 'dev', `${link}p`],
    ['ip', '-n', netns, 'link', 'set', `${link}p`, 'up'],
  ]) {
    await output(command)
  }
  const acquired = made.move()
  return { inside: ['ip', 'netns', 'exec', netns], [Symbol.asyncDispose]: () => acquired.disposeAsync() }
}

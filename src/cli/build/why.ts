import type { Context } from '../command.ts'
import { explainText } from './progress/explain.ts'

/** Says why steps were done again: those of the last build, or of the one with that id. */
export async function showWhy(build: string | undefined, { client, out }: Context): Promise<void> {
  const { id, name, finished, steps, cached, misses } = await client.builds.why(build)
  const named = name === '' ? id : `${id} (${name})`
  out(`Build ${named}, ended ${finished}: ${cached} of ${steps} steps from the cache\n${explainText(misses)}`)
}

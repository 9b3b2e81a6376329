import type { Clock } from '#base/clock.ts'
import type { Background } from '#base/background.ts'
import { EngineError } from '#base/errors.ts'

/** Something a build has made for its client: a tar that is written while it is read. */
export interface Artifact extends AsyncDisposable {
  read(): AsyncIterable<Uint8Array>
}

export interface ArtifactsDeps {
  readonly clock: Clock
  readonly background: Background
}

/** Milliseconds that an artifact waits for its client. */
const PATIENCE = 600_000

/** What builds have made for their clients: each is fetched once, or dropped after ten minutes. */
export class Artifacts implements AsyncDisposable {
  readonly #deps: ArtifactsDeps
  readonly #waiting = new Map<string, Waiting>()

  constructor(deps: ArtifactsDeps) {
    this.#deps = deps
  }

  put(build: string, index: number, artifact: Artifact): void {
    const key = keyOf(build, index)
    const taken = new AbortController()
    this.#waiting.set(key, { artifact, taken })
    this.#deps.background.run('dropping the output of a build', async () => {
      const { signal } = taken
      await this.#deps.clock.sleep(PATIENCE, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
      if (signal.aborted) return
      this.#waiting.delete(key)
      await artifact[Symbol.asyncDispose]()
    })
  }

  /** Its bytes; it is gone when they have been read, or when the reader stops. */
  take(build: string, index: number): AsyncIterable<Uint8Array> {
    const key = keyOf(build, index)
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) {
      throw new EngineError(
        'not_found',
        `build ${build} has no output ${index}: it was fetched already, or waited longer than ten minutes`,
        { code: 'BUILD_NO_ARTIFACT', details: { build, index } },
      )
    }
    this.#waiting.delete(key)
    waiting.taken.abort()
    return readOnce(waiting.artifact)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { artifact, taken } of left) {
      taken.abort()
      await artifact[Symbol.asyncDispose]()
    }
  }
}

interface Waiting {
  readonly artifact: Artifact
  /** Aborted when nobody need wait for its client any more. */
  readonly taken: AbortController
}

async function* readOnce(artifact: Artifact): AsyncGenerator<Uint8Array> {
  await using held = artifact
  yield* held.read()
}

function keyOf(build: string, index: number): string {
  return `${build}/${index}`
}

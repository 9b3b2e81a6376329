import { type Digest, digestOf } from '#base/digest.ts'
import { messageOf } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import type { Report } from '#build/progress/progress.ts'

export interface VertexReport {
  readonly id: Digest
  /** Something that is done. */
  readonly status: (text: string) => void
  /** Something that goes on. */
  readonly progress: (text: string, current: number, total?: number) => void
}

/** Does `work` and shows it as a step of the build that is no step of the graph. Times as `now` says them. */
export async function vertexReport<Result>(
  name: string,
  report: Report,
  now: () => string,
  work: (vertex: VertexReport) => Promise<Result>,
): Promise<Result> {
  // Not the same in another build: clients that show several at a time know steps by their ids.
  const id: Digest = digestOf(newId())
  const vertex = { type: 'vertex', id, name, inputs: [], started: now() } as const
  report(vertex)
  try {
    const result = await work({
      id,
      status: (text) =>
        report({ type: 'status', vertex: id, id: text, current: 0, started: now(), completed: now() }),
      progress: (text, current, total) => report({ type: 'status', vertex: id, id: text, current, total }),
    })
    report({ ...vertex, completed: now() })
    return result
  } catch (error) {
    report({ ...vertex, completed: now(), error: messageOf(error) })
    throw error
  }
}

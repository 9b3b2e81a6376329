/** A build told as the classic builder did: one instruction after the other, though they may be done side by side. */
import { StringDecoder } from 'node:string_decoder'
import { engineErrorOf, messageOf } from '#base/errors.ts'
import type { BuildMessage, BuildResult } from '#engine/builds/service.ts'

export interface ClassicOptions {
  /** Only the id of the image. */
  readonly quiet: boolean
  /** For clients of BuildKit: names the message that has the id. */
  readonly version2: boolean
}

/** The lines of Docker's JSON stream. Failures of `messages` pass through; see classicFailure(). */
export async function* classicOutput(
  messages: AsyncIterable<BuildMessage>,
  { quiet, version2 }: ClassicOptions,
): AsyncGenerator<object> {
  const story = new Story()
  for await (const message of messages) {
    if (message.type === 'result') {
      if (!quiet) yield* streams(story.finish(message))
      yield* resultLines(message, { quiet, version2 })
    } else if (message.type === 'call') yield { stream: message.text }
    else if (quiet) continue
    else if (message.type === 'status') yield* countLine(message)
    else yield* streams(story.tell(message))
  }
}

/** The last line of a stream that failed, in the words that clients of the classic builder look for. */
export function classicFailure(error: unknown): object {
  const message = engineErrorOf(error)?.message ?? messageOf(error)
  const run = /process ("(?:[^"\\]|\\.)*") did not complete successfully: .*exit code: (\d+)/.exec(message)
  if (run === null) return { errorDetail: { message }, error: message }
  const [, quoted = '""', code = ''] = run
  const words = `The command '${String(JSON.parse(quoted))}' returned a non-zero code: ${code}`
  return { errorDetail: { code: Number(code), message: words }, error: words }
}

function* resultLines({ imageId, names }: BuildResult, options: ClassicOptions): Generator<object> {
  if (imageId === undefined) return
  yield { ...(options.version2 ? { id: 'moby.image.id' } : {}), aux: { ID: imageId } }
  if (options.quiet) yield { stream: `${imageId}\n` }
  else {
    yield { stream: `Successfully built ${short(imageId)}\n` }
    for (const name of names) yield { stream: `Successfully tagged ${name}\n` }
  }
}

function* countLine({ id, current, total, completed }: Status): Generator<object> {
  if (total === undefined || total === 0) return
  const status = completed === undefined ? 'Transferring' : 'Transferred'
  yield { status, id, progressDetail: { current, total } }
}

type Status = Extract<BuildMessage, { type: 'status' }>
type Vertex = Extract<BuildMessage, { type: 'vertex' }>
type Told = Exclude<BuildMessage, BuildResult | Status | { readonly type: 'call' }>

function* streams(texts: Iterable<string>): Generator<object> {
  for (const text of texts) yield { stream: text }
}

/** An instruction that is told, or will be. */
interface Line {
  readonly text: string
  /** Name of its vertex; undefined for metadata. */
  readonly step: string | undefined
}

/** UTF-16 units of output that a step may have waiting. */
const WAITING = 1 << 20
const LEFT_OUT = '[earlier output is left out]\n'

/** `[build 2/5] RUN make` */
const STEP = /^\[(?:(.*?) +)? *(\d+)\/(\d+)\] (.*)$/s

/** Keeps the instructions in their order: what happens before its turn waits for it. */
class Story {
  /** All instructions, when they were told; otherwise those that have begun so far. */
  #lines: Line[] = []
  #planned = false
  #told = 0
  #open: Step | undefined
  readonly #steps = new Map<string, Step>()
  readonly #byId = new Map<string, Step>()
  readonly #warnings: string[] = []
  /** The end of the instruction that was told last: its result. */
  #result: string | undefined;

  *tell(message: Told): Generator<string> {
    switch (message.type) {
      case 'instructions':
        this.#planned = true
        this.#lines = message.instructions.map(({ text, step }) => ({ text, step }))
        return
      case 'vertex':
        this.#learn(message)
        break
      case 'log':
        this.#byId.get(message.vertex)?.write(message.data)
        break
      case 'warning':
        this.#warnings.push(
          `[Warning] ${message.warning.message} (line ${message.warning.range.start.line})\n`,
        )
        return
      case 'explanation':
        return
    }
    yield* this.#advance()
  }

  *finish({ imageId }: BuildResult): Generator<string> {
    yield* this.#advance()
    // What was taken from the cache as a whole had no vertex of its own.
    while (this.#told < this.#lines.length) {
      const line = this.#lines[this.#told]!
      yield* this.#begin(line)
      if (line.step !== undefined) yield ' ---> Using cache\n'
    }
    if (this.#told > 0 && imageId !== undefined) yield ` ---> ${short(imageId)}\n`
    yield* this.#warnings
  }

  #learn(vertex: Vertex): void {
    const match = STEP.exec(vertex.name)
    if (match === null) return
    const known = this.#steps.get(vertex.name)
    const step = known ?? new Step(vertex.id, match[4] ?? '')
    step.vertex = vertex
    this.#steps.set(vertex.name, step)
    this.#byId.set(vertex.id, step)
    const isTold = this.#lines.some((line) => line.step === vertex.name)
    if (!this.#planned && !isTold && step.begun) this.#lines.push({ text: step.text, step: vertex.name })
  }

  /** Tells as much as its order allows. */
  *#advance(): Generator<string> {
    for (;;) {
      const open = this.#open
      if (open !== undefined) {
        yield* open.news()
        if (!open.ended) return
        this.#result = open.failed ? undefined : short(open.id)
        this.#open = undefined
      }
      const line = this.#lines[this.#told]
      if (line === undefined) return
      const step = line.step === undefined ? undefined : this.#steps.get(line.step)
      if (line.step !== undefined && step?.begun !== true && !this.#isPassed(line.step)) return
      yield* this.#begin(line)
      if (line.step !== undefined && step?.begun !== true) yield ' ---> Using cache\n'
      else this.#open = step
    }
  }

  *#begin(line: Line): Generator<string> {
    if (this.#result !== undefined) yield ` ---> ${this.#result}\n`
    this.#result = undefined
    this.#told += 1
    yield `${this.#heading(line)}\n`
  }

  #heading({ text, step }: Line): string {
    const [, , number = '', total = ''] = this.#planned ? [] : (STEP.exec(step ?? '') ?? [])
    const place = this.#planned ? `${this.#told}/${this.#lines.length}` : `${number}/${total}`
    return `Step ${place} : ${text}`
  }

  /** A later step of the same stage has begun: nothing more will be heard of this one. */
  #isPassed(name: string): boolean {
    const stageOf = (step: string): string => STEP.exec(step)?.[1] ?? ''
    return this.#lines
      .slice(this.#told + 1)
      .some(
        ({ step }) =>
          step !== undefined && stageOf(step) === stageOf(name) && this.#steps.get(step)?.begun === true,
      )
  }
}

/** What is known of a step, and what it has written that was not told yet. */
class Step {
  readonly id: string
  readonly text: string
  vertex: Vertex | undefined
  #output = ''
  #running = false
  #closed = false
  readonly #decoder = new StringDecoder('utf8')

  constructor(id: string, text: string) {
    this.id = id
    this.text = text
  }

  get begun(): boolean {
    return this.vertex?.started !== undefined || this.ended || this.vertex?.cached === true
  }

  get ended(): boolean {
    return this.vertex?.completed !== undefined || this.failed
  }

  get failed(): boolean {
    return this.vertex?.error !== undefined
  }

  write(data: Uint8Array): void {
    this.#output += this.#decoder.write(data)
    // Waiting for its turn: what a program says without end must not fill the memory.
    if (this.#output.length > 2 * WAITING) this.#output = `${LEFT_OUT}${this.#output.slice(-WAITING)}`
  }

  *news(): Generator<string> {
    const isRun = /^RUN\b/i.test(this.text)
    const isCached = this.vertex?.cached === true
    // Said late: a step that has begun may still be found in the cache.
    if (isRun && !isCached && !this.#running && (this.#output !== '' || this.ended)) {
      this.#running = true
      yield ` ---> Running in ${short(this.id)}\n`
    }
    if (this.#output !== '') yield this.#output
    this.#output = ''
    if (!this.ended || this.#closed) return
    this.#closed = true
    // A base image is always there, or fetched.
    if (isCached && !/^FROM\b/i.test(this.text)) yield ' ---> Using cache\n'
    else if (isRun && !isCached && !this.failed)
      yield ` ---> Removed intermediate container ${short(this.id)}\n`
  }
}

/** The twelve digits that people know an object by. */
function short(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}

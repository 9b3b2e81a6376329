/** What is built: directories with a Dockerfile. */
import { randomFillSync } from 'node:crypto'
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { BASE } from './builders.ts'

const MEGABYTE = 1_000_000
const DIRECTORIES = 40

/** Ten steps, of which the last one takes one small file, in a context of `files` files. */
export function stepsContext(directory: string, files: number): string {
  const steps = Array.from({ length: 6 }, (_, step) => `RUN echo ${step} > /step-${step}`)
  const lines = [`FROM ${BASE}`, 'WORKDIR /app', 'COPY lib lib', ...steps, 'ENV A=b', 'COPY last /last']
  const path = made(directory, 'steps', lines)
  for (let file = 0; file < files; file++) {
    const inside = join(path, 'lib', `module-${file % DIRECTORIES}`)
    mkdirSync(inside, { recursive: true })
    writeFileSync(join(inside, `file-${file}.txt`), `${file} `.repeat(400))
  }
  editLast(path, 'as it was')
  return path
}

export function editLast(path: string, text: string): void {
  writeFileSync(join(path, 'last'), `${text}\n`)
}

/** Stages that need nothing of each other and take a second each, and one that needs them all. */
export function stagesContext(directory: string, stages: number): string {
  const names = Array.from({ length: stages }, (_, stage) => `stage${stage}`)
  return made(directory, 'stages', [
    ...names.flatMap((name) => [`FROM ${BASE} AS ${name}`, `RUN sleep 1; echo ${name} > /${name}`]),
    `FROM ${BASE}`,
    ...names.map((name) => `COPY --from=${name} /${name} /${name}`),
  ])
}

/** One step that takes `megabytes`, in a few files that nothing compresses. */
export function largeContext(directory: string, megabytes: number): string {
  const path = made(directory, 'large', [`FROM ${BASE}`, 'COPY data /data'])
  const block = Buffer.alloc(MEGABYTE)
  mkdirSync(join(path, 'data'))
  for (let at = 0; at < megabytes; at += 100) {
    const file = openSync(join(path, 'data', `part-${at}`), 'w')
    for (let i = at; i < Math.min(at + 100, megabytes); i++) writeSync(file, randomFillSync(block))
    closeSync(file)
  }
  return path
}

function made(directory: string, name: string, dockerfile: readonly string[]): string {
  const path = join(directory, name)
  mkdirSync(path)
  writeFileSync(join(path, 'Dockerfile'), `${dockerfile.join('\n')}\n`)
  return path
}

/** Every answer that a test gets from a daemon is judged by Docker's description of the API, where that is at hand. */
import assert from 'node:assert/strict'
import { DockerDescription } from './docker-description.ts'

let description: DockerDescription | undefined | 'not looked for' = 'not looked for'

export interface Described {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** Fails when a JSON document is none that the newest API answers with. What was asked in an older version is not judged. */
export function assertDescribed(method: string, target: string, { status, headers, text }: Described): void {
  const path = target.replace(/\?.*$/s, '')
  if (/^\/v\d/.test(path) || headers['content-type'] !== 'application/json' || text === '') return
  if (description === 'not looked for') description = DockerDescription.load()
  const template = description?.templateOf(method, path)
  if (description === undefined || template === undefined) return
  const document = documentOf(text)
  if (document === undefined) return
  const complaint = description.complaint(method, template, status, document)
  assert.equal(complaint, undefined, `${method} ${target} ${status}: ${complaint}\n${text}`)
}

/** Undefined for a stream of documents. */
function documentOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

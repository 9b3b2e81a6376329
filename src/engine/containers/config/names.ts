import { randomInt } from 'node:crypto'
import { EngineError } from '#base/errors.ts'
import { shortId } from '#base/ids.ts'
import { adjectives, surnames } from './name-words.ts'

const NAME = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/
/** Tries with a digit at the end before the id is taken. */
const DIGIT_TRIES = 5

/** A container's name without the leading slash that clients may send. Fails with Docker's wording. */
export function validateName(name: string): string {
  if (NAME.test(name)) return name.replace(/^\//, '')
  throw new EngineError(
    'invalid_argument',
    `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    { code: 'CONTAINER_NAME_INVALID', details: { name } },
  )
}

/**
 * A name for a container that was given none: `adjective_surname`, with a digit when that is taken, and at last the
 * short id, which nobody else has.
 */
export function generateName(
  id: string,
  isTaken: (name: string) => boolean,
  random: (below: number) => number = randomInt,
): string {
  for (let attempt = 0; attempt <= DIGIT_TRIES; attempt++) {
    const words = `${pick(adjectives, random)}_${pick(surnames, random)}`
    const name = attempt === 0 ? words : `${words}${random(10)}`
    if (!isTaken(name)) return name
  }
  return shortId(id)
}

function pick(words: readonly string[], random: (below: number) => number): string {
  return words[random(words.length)] ?? ''
}

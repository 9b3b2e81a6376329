import { randomBytes } from 'node:crypto'

const ID = /^[0-9a-f]{64}$/

/** A new random 64-digit hexadecimal id whose first twelve digits hold at least one letter. */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex')
    // A short id that looks like a number would be read as one by shells and YAML.
    if (!/^[0-9]{12}/.test(id)) return id
  }
}

export function isId(text: string): boolean {
  return ID.test(text)
}

/** The twelve digits that Docker shows; a `sha256:` prefix is left out. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}

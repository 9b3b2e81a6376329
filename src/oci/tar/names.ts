import { invalidTar } from './errors.ts'
import { limits } from './limits.ts'

/** A component that is empty, `.` or `..`. */
const UNCLEAN = /(?:^|\/)\.{0,2}(?:\/|$)/

/**
 * A member's name as a relative path without `.`, `..`, empty components or slashes at the ends; `''` is the root.
 * Absolute names are relative to the root of the archive. `..` is resolved by text alone, and one that leads above
 * the root is refused.
 */
export function cleanName(name: string, member = name): string {
  if (name.includes('\0')) throw invalidTar(member, 'NUL in a name')
  const cleaned = UNCLEAN.test(name) ? clean(name, member) : name
  if (cleaned.length > limits.path) throw invalidTar(member, `name longer than ${limits.path} bytes`)
  return cleaned
}

function clean(name: string, member: string): string {
  const out: string[] = []
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') out.push(part)
    else if (out.pop() === undefined)
      throw invalidTar(member, `${name === member ? 'name' : 'link'} leads out of the archive`)
  }
  return out.join('/')
}

export function checkComponent(component: string, member: string): void {
  if (component.length > limits.component) {
    throw invalidTar(member, `name component longer than ${limits.component} bytes`)
  }
}

import { mkdirSync, rmdirSync } from 'node:fs'
import { dirname } from 'node:path'

/** A directory of the machine itself, with its parents; disposing removes those that were not there before. */
export function machineDirectory(path: string): Disposable {
  const first = mkdirSync(path, { recursive: true })
  return {
    [Symbol.dispose]() {
      if (first === undefined) return
      for (let at = path; at.length >= first.length; at = dirname(at)) rmdirSync(at)
    },
  }
}

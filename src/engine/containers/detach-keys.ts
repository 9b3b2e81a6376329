import { EngineError } from '#base/errors.ts'
import type { InputFilter } from './attach-stream.ts'

const DEFAULT_KEYS = 'ctrl-p,ctrl-q'

/** A comma-separated list of single characters and `ctrl-X` with X one of a-z @ [ \ ] ^ _. */
export function parseDetachKeys(text: string | undefined): Uint8Array {
  const names = (text === undefined || text === '' ? DEFAULT_KEYS : text).split(',')
  return Uint8Array.from(names, keyCode)
}

function keyCode(name: string): number {
  if (name.length === 1) return name.charCodeAt(0)
  const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(name)?.[1]
  if (control === undefined) {
    throw new EngineError('invalid_argument', `Invalid detach keys (${name}) provided`, {
      code: 'DETACH_KEYS_INVALID',
    })
  }
  return control.toUpperCase().charCodeAt(0) & 0x1f
}

/**
 * Withholds the bytes of `keys` until it is known whether they are the whole sequence; asks for detaching when they are.
 */
export function detachFilter(keys: Uint8Array): InputFilter {
  let matched = 0
  return (chunk) => {
    const passed: number[] = []
    for (const byte of chunk) {
      if (byte === keys[matched]) {
        matched += 1
        if (matched === keys.length) return undefined
        continue
      }
      passed.push(...keys.subarray(0, matched))
      matched = byte === keys[0] ? 1 : 0
      if (matched === 0) passed.push(byte)
    }
    return Uint8Array.from(passed)
  }
}

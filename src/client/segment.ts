import { EngineError } from '#base/errors.ts'

/**
 * A reference as a part of a path. An empty one, such as an unset variable of a script, would make the path of something
 * else out of it: that of a list.
 */
export function segment(noun: string, ref: string): string {
  if (ref.trim() === '') {
    throw new EngineError('invalid_argument', `invalid ${noun} name or ID: value is empty`, {
      code: 'REFERENCE_EMPTY',
    })
  }
  return encodeURIComponent(ref)
}

import { isKind } from '#base/errors.ts'

/** What an engine answers; undefined when the object is gone, which is what a removal wants and nothing to look at. */
export async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isKind(error, 'not_found')) return undefined
    throw error
  }
}

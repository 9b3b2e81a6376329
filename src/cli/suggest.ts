import { nearest } from '#base/nearest.ts'

/** The candidate that was most likely meant: a slip or two away, or begun with these letters; undefined: none is near. */
export function suggestion(word: string, candidates: readonly string[]): string | undefined {
  const near = nearest(word, candidates, word.length < 6 ? 1 : 2)
  return near ?? (word.length < 3 ? undefined : candidates.find((candidate) => candidate.startsWith(word)))
}

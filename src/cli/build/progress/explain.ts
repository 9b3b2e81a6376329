import type { BuildMiss } from '#api/build-updates.ts'

/** A line for each step that was done again: which, and the one reason. */
export function explainText(misses: readonly BuildMiss[]): string {
  if (misses.length === 0) return 'Every step was taken from the cache.\n'
  return misses.map((miss) => `${miss.step.replaceAll(/\s+/g, ' ')}: ${reasonText(miss)}\n`).join('')
}

function reasonText(miss: BuildMiss): string {
  const { reason, subject = '', before, after } = miss
  switch (reason) {
    case 'file':
      return `file ${subject} ${change(before, after)}${others(miss, 'file')}`
    case 'argument':
      return `argument ${subject} ${change(quoted(before), quoted(after))}${others(miss, 'argument')}`
    case 'instruction':
      if (subject === '' && before === undefined) return 'the instruction changed'
      return `${subject === '' ? 'the instruction' : subject} changed: ${before ?? 'nothing'} → ${after ?? 'nothing'}`
    case 'image':
      return `image ${subject} ${change(before, after)}`
    case 'parent':
      return subject === '' ? 'the step below was done again' : `what it builds on was done again: ${subject}`
    case 'disabled':
      return `the cache was not to be used${subject === '' ? '' : ` (${subject})`}`
    case 'evicted':
      return 'its result was removed from the cache'
    case 'new':
      return 'nothing like it was built before'
  }
}

function change(before: string | undefined, after: string | undefined): string {
  if (before === undefined && after === undefined) return 'changed'
  if (before === undefined) return `is new (${short(after)})`
  if (after === undefined) return `is gone (was ${short(before)})`
  return `changed (${short(before)} → ${short(after)})`
}

function others({ more = 0 }: BuildMiss, noun: string): string {
  return more === 0 ? '' : `, and ${more} more ${noun}${more === 1 ? '' : 's'}`
}

function quoted(text: string | undefined): string | undefined {
  return text === undefined ? undefined : JSON.stringify(text)
}

/** Twelve digits say enough of a digest. */
function short(text = ''): string {
  return text.replace(/^sha256:([0-9a-f]{12})[0-9a-f]{52}$/, '$1')
}

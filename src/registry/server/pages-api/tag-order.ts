/** Orders of tags as people expect them. */

interface Version {
  readonly numbers: readonly number[]
  readonly rest: string
}

/** `1.10` after `1.9`: runs of digits count as numbers. */
export function naturally(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : 1)
}

const collator = new Intl.Collator('en', { numeric: true })

/**
 * Newest version first: `v2.0.0`, `2.0.0-rc.1`, `1.10`, `1.9`; names that are no versions come after them, in natural
 * order. https://semver.org 11, with any count of numbers.
 */
export function byVersion(a: string, b: string): number {
  const [left, right] = [versionOf(a), versionOf(b)]
  if (left === undefined || right === undefined) {
    if (left === right) return naturally(a, b)
    return left === undefined ? 1 : -1
  }
  return compareNumbers(right, left) || compareRest(right.rest, left.rest) || naturally(a, b)
}

function versionOf(tag: string): Version | undefined {
  const [, numbers, rest = ''] = /^v?(\d{1,15}(?:\.\d{1,15})*)(?:[-+_.]?(.*))?$/.exec(tag) ?? []
  return numbers === undefined ? undefined : { numbers: numbers.split('.').map(Number), rest }
}

function compareNumbers(a: Version, b: Version): number {
  const length = Math.max(a.numbers.length, b.numbers.length)
  for (let i = 0; i < length; i++) {
    const difference = (a.numbers[i] ?? -1) - (b.numbers[i] ?? -1)
    if (difference !== 0) return difference
  }
  return 0
}

/** What has no rest is newer than what has one, which is a pre-release. */
function compareRest(a: string, b: string): number {
  if (a === b) return 0
  if (a === '' || b === '') return a === '' ? 1 : -1
  return naturally(a, b)
}

import type { ImageDeleteResponseItem } from '#api/generated/types.ts'

/** What a removal of images did, a line each. */
export function deletedLines(items: readonly ImageDeleteResponseItem[], capital = false): string[] {
  const [untagged, deleted] = capital ? ['Untagged', 'Deleted'] : ['untagged', 'deleted']
  return items.map(({ Untagged, Deleted }) =>
    Untagged ? `${untagged}: ${Untagged}` : `${deleted}: ${Deleted ?? ''}`,
  )
}

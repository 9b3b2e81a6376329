import type { CountUpdate } from '#api/build-updates.ts'
import { humanSize } from '../../format/units.ts'

/** `transferring context: 1.2MB / 3MB`; what counts nothing is its name alone. */
export function countText({ id, current, total = 0 }: CountUpdate): string {
  if (total > 0) return `${named(id)} ${humanSize(current, 3)} / ${humanSize(total, 3)}`
  return current > 0 ? `${named(id)} ${humanSize(current, 3)}` : id
}

function named(id: string): string {
  return id.startsWith('sha256:') || id.endsWith(':') ? id : `${id}:`
}

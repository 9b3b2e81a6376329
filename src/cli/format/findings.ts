import type { Finding } from '#api/finding.ts'
import type { Paint } from './colors.ts'
import { printable } from './progress-screen.ts'

/** What was found about one object, what suffers from it, and what was or is to be done. */
export function findingText({ object, problem, damage, action, repaired }: Finding, paint: Paint): string {
  const { images, containers } = damage
  const suffering = [
    ...(images.length > 0 ? [`images ${images.join(', ')}`] : []),
    ...(containers.length > 0 ? [`containers ${containers.join(', ')}`] : []),
  ]
  const lines = [
    `${paint('bold', printable(`${object.kind} ${object.name}`))}: ${paint(repaired ? 'green' : 'red', printable(problem))}`,
    ...(suffering.length > 0 ? [`  affects ${printable(suffering.join('; '))}`] : []),
    `  ${printable(action)}`,
  ]
  return lines.map((line) => `${line}\n`).join('')
}

/** The last line of a check. */
export function verdict(findings: number, repaired: number, repair: boolean): string {
  if (findings === 0) return 'Everything is as it should be.'
  const found = `${findings} ${findings === 1 ? 'finding' : 'findings'}`
  if (!repair)
    return `${found}; nothing was changed. 'berth system fsck --repair' repairs what the engine can.`
  const left = findings - repaired
  return left === 0 ? `${found}, all repaired.` : `${found}, ${repaired} repaired, ${left} left to you.`
}

import { styleText } from 'node:util'
import type { Io } from '../io.ts'

type Style = Parameters<typeof styleText>[0]
export type Paint = (style: Style, text: string) => string

/** Colours for stdout: only on a terminal that has some, and not for who sets NO_COLOR (no-color.org). */
export function paintFor({ stdout, env }: Pick<Io, 'stdout' | 'env'>): Paint {
  const wanted = stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  return wanted ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text
}

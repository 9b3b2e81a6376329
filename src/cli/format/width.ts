import { stripVTControlCharacters } from 'node:util'

/** Characters that terminals draw in two columns: East Asian wide ones (Unicode TR 11) and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
const NARROW = /^[\x20-\x7e]*$/

/** Columns that a text takes on a terminal; colours take none. */
export function columnsOf(text: string): number {
  if (NARROW.test(text)) return text.length
  let columns = 0
  for (const character of stripVTControlCharacters(text)) columns += widthOf(character)
  return columns
}

/** As much of a text without colours as fits into so many columns, with an ellipsis in the last one when it is not all. */
export function fitted(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text
  let left = columns - 1
  let kept = ''
  for (const character of text) {
    left -= widthOf(character)
    if (left < 0) break
    kept += character
  }
  return columns < 1 ? '' : `${kept}…`
}

function widthOf(character: string): number {
  if (/\p{M}|\u200d/u.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

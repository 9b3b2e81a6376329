import type { ScalarValue } from './node.ts'

const NULL = /^(?:|~|null|Null|NULL)$/
const TRUE = /^(?:true|True|TRUE)$/
const FALSE = /^(?:false|False|FALSE)$/
const DECIMAL = /^[-+]?(?:0|[1-9][0-9_]*)$/
const PREFIXED = /^([-+]?)0(?:([xX])([0-9a-fA-F_]+)|([bB])([01_]+)|[oO]?([0-7_]+))$/
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/

/**
 * What an unquoted scalar means in Compose's files: YAML 1.2, with YAML 1.1's octal numbers (`mode: 0440`), and without
 * its `yes` and `on`, which stay text. An integer too large to be exact stays text, too.
 */
export function plainScalar(text: string): ScalarValue {
  if (NULL.test(text)) return null
  if (TRUE.test(text)) return true
  if (FALSE.test(text)) return false
  if (DECIMAL.test(text)) return exact(Number(text.replaceAll('_', '')), text)
  const [matched, sign, hex, hexDigits, binary, binaryDigits, octalDigits] = PREFIXED.exec(text) ?? []
  if (matched !== undefined) {
    const base = hex !== undefined ? 16 : binary !== undefined ? 2 : 8
    const digits = (hexDigits ?? binaryDigits ?? octalDigits ?? '').replaceAll('_', '')
    const value = Number.parseInt(digits, base)
    return exact(sign === '-' ? -value : value, text)
  }
  return FLOAT.test(text) ? Number(text.replaceAll('_', '')) : text
}

function exact(value: number, text: string): ScalarValue {
  return Number.isSafeInteger(value) ? value : text
}

import { problemAt } from '../../document/errors.ts'
import { type Node, scalar, sequence } from '../../document/node.ts'

/** `command: echo "a b"` as the list of its words. */
export function fromCommandLine(node: Node): Node | undefined {
  if (node.kind !== 'scalar' || typeof node.value !== 'string') return undefined
  const words = splitWords(node.value)
  if (words === undefined)
    throw problemAt(node.place, `a quote is not closed in ${JSON.stringify(node.value)}`)
  return sequence(
    words.map((word) => scalar(word, node.place)),
    node.place,
  )
}

/**
 * Splits like a shell, without being one: quotes and backslashes count, variables do not, and the first unquoted one of
 * `; & | < >` ends it, as in Compose. Undefined: a quote or a backslash is left open.
 */
export function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '\\' && quote !== "'") {
      at += 1
      if (at === text.length) return undefined
      word = (word ?? '') + text.charAt(at)
    } else if (quote !== '') {
      if (character === quote) quote = ''
      else word = (word ?? '') + character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (';&|<>'.includes(character)) {
      break
    } else {
      word = (word ?? '') + character
    }
  }
  if (quote !== '') return undefined
  return word === undefined ? words : [...words, word]
}

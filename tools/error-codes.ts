import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const SOURCE = join(import.meta.dirname, '../src')

/** Every code that an EngineError of the source can have, sorted. Test doubles have none of their own. */
export function errorCodes(): string[] {
  const files = globSync('**/*.ts', {
    cwd: SOURCE,
    exclude: ['**/*.test.ts', '**/*.suite.ts', '**/fake-*.ts'],
  })
  const codes = files.flatMap((file) => codesIn(readFileSync(join(SOURCE, file), 'utf8')))
  return [...new Set(codes)].toSorted()
}

/** `code: 'X'`, `code: CONSTANT`, and the arguments of functions that take a code. */
function codesIn(text: string): string[] {
  const constants = captures(text, /\bcode:\s*([A-Z][A-Z_]+)\b/g)
  const patterns = [
    /\bcode:\s*'([A-Z][A-Z0-9_]+)'/g,
    ...constants.map((name) => new RegExp(`const ${name} = '(\\w+)'`, 'g')),
    ...(text.includes('Uppercase<string>') ? [/,\s*'((?!Z_)[A-Z]+(?:_[A-Z]+)+)',?\s*[,)]/g] : []),
  ]
  return patterns.flatMap((pattern) => captures(text, pattern)).filter((code) => !isErrno(code))
}

function captures(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, capture = '']) => capture)
}

/** Codes of system errors have no underscore. */
function isErrno(code: string): boolean {
  return /^E[A-Z0-9]+$/.test(code)
}

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

/** `code: 'X'`, a constant of its own name, and the arguments of functions that take a code. */
function codesIn(text: string): string[] {
  const patterns = [/\bcode:\s*'([A-Z][A-Z0-9_]+)'/g, /const ([A-Z]+(?:_[A-Z]+)+) = '\1'/g]
  if (text.includes('Uppercase<string>')) patterns.push(/,\s*'((?!Z_)[A-Z]+(?:_[A-Z]+)+)',?\s*[,)]/g)
  const found = patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, code = '']) => code))
  return found.filter((code) => !isErrno(code))
}

/** Codes of system errors have no underscore. */
function isErrno(code: string): boolean {
  return /^E[A-Z0-9]+$/.test(code)
}

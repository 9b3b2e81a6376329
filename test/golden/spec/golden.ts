import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Compares `value`, as JSON, with `NAME.json` beside this file. With BERTH_UPDATE_GOLDEN=1 the file is written instead
 * (format it afterwards); the difference is then for a person to read.
 */
export function assertGolden(name: string, value: unknown): void {
  const file = join(import.meta.dirname, `${name}.json`)
  const text = JSON.stringify(value, undefined, 2)
  if (process.env['BERTH_UPDATE_GOLDEN'] === '1') writeFileSync(file, `${text}\n`)
  else assert.deepEqual(JSON.parse(text), JSON.parse(readFileSync(file, 'utf8')))
}

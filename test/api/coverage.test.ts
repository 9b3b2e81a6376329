import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { coverage, coverageFile, untested } from '../../tools/api-coverage.ts'

it('docs/api-coverage.md is what tools/api-coverage.ts writes', () => {
  assert.equal(readFileSync(coverageFile, 'utf8'), coverage(), 'run: node tools/api-coverage.ts')
})

it('every operation that works is asked for by a test', () => {
  assert.deepEqual(untested(), [])
})

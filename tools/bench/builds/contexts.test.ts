import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { parseDockerfile } from '#build/dockerfile/parse.ts'
import { editLast, largeContext, stagesContext, stepsContext } from './contexts.ts'

it('contexts have as many steps, stages, files and bytes as their titles say', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-bench-contexts-'))
  try {
    const steps = stepsContext(directory, 2000)
    const [stage, ...none] = stagesOf(steps)
    assert.deepEqual([stage, none], [10, []])
    assert.equal(filesBelow(join(steps, 'lib')), 2000)
    editLast(steps, 'other')
    assert.equal(readFileSync(join(steps, 'last'), 'utf8'), 'other\n')

    assert.deepEqual(stagesOf(stagesContext(directory, 4)), [1, 1, 1, 1, 4])

    const large = join(largeContext(directory, 3), 'data')
    const sizes = readdirSync(large).map((name) => statSync(join(large, name)).size)
    assert.deepEqual(sizes, [3_000_000])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

/** How many instructions follow each FROM. */
function stagesOf(context: string): readonly number[] {
  return parseDockerfile(readFileSync(join(context, 'Dockerfile'), 'utf8'), 'Dockerfile').stages.map(
    ({ instructions }) => instructions.length,
  )
}

function filesBelow(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .length
}

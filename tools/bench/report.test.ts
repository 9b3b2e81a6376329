import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { BenchedEngine, Contender } from './contenders.ts'
import { table } from './report.ts'

const engine: BenchedEngine = {
  name: 'any',
  description: 'any 1',
  socket: '',
  processes: () => [],
  inside: [],
  lines: async () => 0,
  import: async () => undefined,
}
const slow: Contender = { name: 'slow', client: [], engine }
const quick: Contender = { name: 'quick', client: [], engine }

it('table() shows the best, the median and the ratio of medians to the first column', () => {
  const samples = new Map([
    [slow, [200, 400, 300]],
    [quick, [20, 40, 30]],
  ])
  assert.deepEqual(table([{ title: '`exec`', unit: 'ms', samples }], [slow, quick]).split('\n'), [
    '|             | slow      | quick                |',
    '| ----------- | --------- | -------------------- |',
    '| `exec` (ms) | 200 / 300 | 20.0 / 30.0 (1/10.0) |',
  ])
})

it('table() takes the largest for the best when it is a rate', () => {
  const samples = new Map([
    [slow, [10, 20]],
    [quick, [40, 80]],
  ])
  assert.match(
    table([{ title: 'starts', unit: '/s', samples }], [slow, quick]),
    /20.0 \/ 15.0 +\| 80.0 \/ 60.0 \(4.00×\)/,
  )
})

it('table() leaves a cell open when somebody was not measured', () => {
  const text = table([{ title: 'logs', unit: '/s', samples: new Map([[slow, [1234.5]]]) }], [slow, quick])
  assert.match(text, /\| logs \(\/s\) \| 1,235 \/ 1,235 \| – +\|$/)
})

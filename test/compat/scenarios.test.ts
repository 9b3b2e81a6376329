import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accepts, acceptedOf } from './accepted.ts'
import { answerDifferences } from './compare.ts'
import { mask } from './mask.ts'
import { globMatches } from './replay.ts'
import { scenarios } from './scenarios.ts'

describe('scenarios', () => {
  it('are many, each with a name of its own', () => {
    const names = scenarios.map(({ name }) => name)
    assert.deepEqual(
      names.filter((name, i) => names.indexOf(name) !== i),
      [],
    )
    assert.ok(names.length > 300)
  })
})

describe('docs/compatibility.md', () => {
  it('speaks of scenarios that there are', () => {
    const rows = acceptedOf()
    assert.ok(rows.length > 0)
    for (const { scenario, line } of rows) {
      assert.ok(
        scenarios.some(({ name }) => globMatches(scenario, name)),
        `line ${line}: no scenario ${scenario}`,
      )
    }
  })

  it('is read by its tables', () => {
    const [row] = acceptedOf(
      'text\n\n| Scenario | Request | Field |\n| --- | --- | --- |\n| `a/*` | `GET *` | `body*.Size` |\n',
    )
    assert.deepEqual(row, { scenario: 'a/*', step: 'GET *', field: 'body*.Size', line: 5 })
    assert.equal(accepts(row, { scenario: 'a/b', step: 'GET /x', field: 'body[1].Size' }), true)
    assert.equal(accepts(row, { scenario: 'b/a', step: 'GET /x', field: 'body[1].Size' }), false)
  })
})

describe('answerDifferences()', () => {
  const answer = (body: unknown, status = 200): object => ({ status, body })

  it('tells absent from null, and finds what is deep inside', () => {
    assert.deepEqual(answerDifferences(answer({ a: [{ b: null }] }), answer({ a: [{}] })), [
      { field: 'body.a[0].b', docker: 'null', berth: '(absent)' },
    ])
    assert.deepEqual(answerDifferences(answer({ a: 1 }), answer({ a: 1 })), [])
  })

  it('tells the status alone when one of both is an error', () => {
    assert.deepEqual(
      answerDifferences(answer({ Id: 'x', Warnings: [] }, 201), answer({ message: 'no' }, 400)),
      [{ field: 'status', docker: '201', berth: '400 no' }],
    )
  })
})

describe('mask()', () => {
  const id = 'ab12'.repeat(16)
  const masks = { variables: new Map([['box', id]]), own: [['/data/root', '<root>']] as const }

  it('keeps what is known by its name, and what never happened', () => {
    const document = {
      Id: id,
      Hostname: id.slice(0, 12),
      Other: 'cd34'.repeat(16),
      LogPath: `/data/root/${id}`,
      Created: '2026-01-02T03:04:05.123Z',
      FinishedAt: '0001-01-01T00:00:00Z',
      Pid: 4711,
      ExitCode: 4711,
      Gateway: '172.17.0.1',
      IPAddress: '172.17.0.9',
    }
    assert.deepEqual(mask(document, masks), {
      Id: '<box>',
      Hostname: '<short box>',
      Other: '<id>',
      LogPath: '<root>/<box>',
      Created: '<time>',
      FinishedAt: '0001-01-01T00:00:00Z',
      Pid: '<moment>',
      ExitCode: 4711,
      Gateway: '172.17.0.1',
      IPAddress: '172.17.0.<n>',
    })
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import { openDatabase } from '#store/db.ts'
import { type Caller, RequestRows } from '#store/requests.ts'
import { RequestJournal } from './request-journal.ts'

const caller: Caller = { kind: 'unix', uid: 1000, pid: 7, user: 'me', command: 'docker' }

describe('RequestJournal', () => {
  it('keeps who asked for what, under the id that the name had', async () => {
    await using db = openDatabase(':memory:', { logger: silentLogger })
    const names = new Map([['web', 'a'.repeat(64)]])
    const journal = new RequestJournal({
      rows: new RequestRows(db),
      containerId: (ref) => names.get(ref),
      maxRequests: 600,
    })
    const arrive = (operation: string, container?: string) =>
      journal.arrived({ operation, path: '/x', container, caller: Promise.resolve(caller) })
    const stop = arrive('ContainerStop', 'web')
    names.clear()
    await stop({ status: 204 })
    await arrive('ContainerPrune')({ status: 200 })
    await arrive('ContainerStop', 'other')({ status: 404 })
    await arrive('ContainerCreate')({ status: 201, object: 'b'.repeat(64) })
    const rows = journal.about('a'.repeat(64), 10)
    assert.deepEqual(
      rows.map(({ operation, status }) => [operation, status]),
      [
        ['ContainerStop', 404],
        ['ContainerPrune', 200],
        ['ContainerStop', 204],
      ],
    )
    assert.deepEqual(rows[2]?.caller, caller)
    for (let i = 0; i < 1000; i++) await arrive('ContainerPrune')({ status: 200 })
    assert.equal(journal.about('a'.repeat(64), 10_000).length, 604)
  })
})

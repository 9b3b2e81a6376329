import assert from 'node:assert/strict'
import { type FileHandle, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { engineErrorOf, isKind } from '#base/errors.ts'
import { silentLogger } from '#base/logger.ts'
import { type Database, isForeignKeyViolation, isUniqueViolation, openDatabase } from './db.ts'
import type { Migration } from './migrations/migration.ts'

const schema: Migration = {
  name: '0001-test',
  sql: `
    CREATE TABLE parents (id TEXT PRIMARY KEY, n INTEGER UNIQUE) STRICT;
    CREATE TABLE children (id TEXT PRIMARY KEY, parent TEXT NOT NULL REFERENCES parents (id) ON DELETE RESTRICT) STRICT;
  `,
}

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-db-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

function openTest(migrations: readonly Migration[] = [schema], path = join(directory, 'state.db')): Database {
  return openDatabase(path, { logger: silentLogger, migrations })
}

describe('openDatabase()', () => {
  it('keeps what was committed when it is closed and opened again', async () => {
    {
      await using db = openTest()
      db.run('INSERT INTO parents VALUES (?, ?)', ['a', 1])
    }
    await using db = openTest()
    assert.equal(db.get<{ n: number }>('SELECT n FROM parents WHERE id = ?', ['a'])?.n, 1)
  })

  it('applies registered migrations once, in the order of their names', async () => {
    const later: Migration = { name: '0002-more', sql: "INSERT INTO parents VALUES ('x', 1)" }
    {
      await using db = openTest([later, schema])
      assert.equal(db.all('SELECT * FROM parents').length, 1)
    }
    const newest: Migration = { name: '0003-most', sql: "INSERT INTO parents VALUES ('y', 2)" }
    await using db = openTest([schema, later, newest])
    assert.deepEqual(
      db.all<{ name: string }>('SELECT name FROM migrations ORDER BY name').map(({ name }) => name),
      ['0001-test', '0002-more', '0003-most'],
    )
    assert.equal(db.all('SELECT * FROM parents').length, 2)
  })

  it('applies all missing migrations or none', async () => {
    const broken: Migration = {
      name: '0002-broken',
      sql: 'CREATE TABLE extra (id TEXT) STRICT; INSERT INTO nowhere VALUES (1)',
    }
    assert.throws(() => openTest([schema, broken]), /nowhere/)
    await using db = openTest([])
    assert.deepEqual(db.all<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'"), [
      Object.assign(Object.create(null), { name: 'migrations' }),
    ])
  })

  it('refuses a database of a newer version', async () => {
    await openTest().close()
    assert.throws(
      () => openTest([]),
      (error) => engineErrorOf(error)?.code === 'DATABASE_TOO_NEW' && /0001-test/.test(String(error)),
    )
  })

  it('names the file when it is not a database', async () => {
    const path = join(directory, 'state.db')
    await writeFile(path, 'x'.repeat(8192))
    assert.throws(
      () => openTest(),
      (error) => isKind(error, 'data_loss') && String(error).includes(path),
    )
  })

  it('names the file when a page is damaged', async () => {
    const path = join(directory, 'state.db')
    {
      await using db = openTest()
      for (let n = 0; n < 500; n++)
        db.run('INSERT INTO parents VALUES (?, ?)', [`parent-${n}-${'x'.repeat(100)}`, n])
    }
    const bytes = await readFile(path)
    bytes.fill(0xa5, 4096 * 3, 4096 * 6)
    await writeFile(path, bytes)
    assert.throws(
      () => openTest(),
      (error) => isKind(error, 'data_loss') && String(error).includes(path),
    )
  })

  it('names the file when it cannot be opened', () => {
    const path = join(directory, 'missing', 'state.db')
    assert.throws(
      () => openTest([schema], path),
      (error) => engineErrorOf(error)?.code === 'DATABASE_OPEN' && String(error).includes(path),
    )
  })

  it('is readable by its owner only', async () => {
    await using db = openTest()
    db.run('INSERT INTO parents VALUES (?, ?)', ['a', 1])
    for (const suffix of ['', '-wal', '-shm']) {
      assert.equal((await stat(`${db.path}${suffix}`)).mode & 0o777, 0o600)
    }
  })

  it('applies the real schema', async () => {
    await using db = openDatabase(':memory:', { logger: silentLogger })
    assert.deepEqual(db.all('SELECT * FROM images'), [])
    assert.deepEqual(db.all('PRAGMA foreign_key_check'), [])
  })
})

describe('Database.transaction()', () => {
  it('undoes everything when the callback throws', async () => {
    await using db = openTest()
    assert.throws(
      () =>
        db.transaction(() => {
          db.run('INSERT INTO parents VALUES (?, ?)', ['a', 1])
          throw new Error('no')
        }),
      /^Error: no$/,
    )
    assert.deepEqual(db.all('SELECT * FROM parents'), [])
  })

  it('undoes only the inner changes when a nested one throws and the outer goes on', async () => {
    await using db = openTest()
    db.transaction(() => {
      db.run('INSERT INTO parents VALUES (?, ?)', ['a', 1])
      assert.throws(() =>
        db.transaction(() => {
          db.run('INSERT INTO parents VALUES (?, ?)', ['b', 2])
          db.run('INSERT INTO parents VALUES (?, ?)', ['c', 2])
        }),
      )
    })
    assert.deepEqual(
      db.all<{ id: string }>('SELECT id FROM parents').map(({ id }) => id),
      ['a'],
    )
  })

  it('returns what the callback returns', async () => {
    await using db = openTest()
    const count: number = db.transaction(() => db.run('INSERT INTO parents VALUES (?, ?)', ['a', 1]))
    assert.equal(count, 1)
  })

  it('does not compile with an asynchronous callback', async () => {
    await using db = openTest()
    const wrong = (): void => {
      // @ts-expect-error a transaction cannot span an await
      void db.transaction(async () => Promise.resolve(1))
    }
    assert.equal(typeof wrong, 'function')
  })
})

describe('violations', () => {
  it('isUniqueViolation() is true for a primary key and for UNIQUE', async () => {
    await using db = openTest()
    db.run('INSERT INTO parents VALUES (?, ?)', ['a', 1])
    assert.throws(() => db.run('INSERT INTO parents VALUES (?, ?)', ['a', 2]), isUniqueViolation)
    assert.throws(() => db.run('INSERT INTO parents VALUES (?, ?)', ['b', 1]), isUniqueViolation)
  })

  it('isForeignKeyViolation() is true for a missing parent and for one in use', async () => {
    await using db = openTest()
    assert.throws(() => db.run('INSERT INTO children VALUES (?, ?)', ['c', 'nobody']), isForeignKeyViolation)
    db.run('INSERT INTO parents VALUES (?, ?)', ['a', 1])
    db.run('INSERT INTO children VALUES (?, ?)', ['c', 'a'])
    assert.throws(() => db.run('DELETE FROM parents'), isForeignKeyViolation)
  })
})

describe('Database.durable()', () => {
  it('resolves for many concurrent callers, during and after commits', async () => {
    await using db = openTest()
    const synced: Promise<void>[] = []
    for (let n = 0; n < 50; n++) {
      db.run('INSERT INTO parents VALUES (?, ?)', [String(n), n])
      synced.push(db.durable())
    }
    await Promise.all(synced)
    await db.durable()
  })

  it('syncs whatever was written since the last time, by any kind of statement, and not without that', async () => {
    await using db = openTest()
    await using handle = await open(import.meta.filename)
    const { mock: syncs } = mock.method(Object.getPrototypeOf(handle) as FileHandle, 'datasync')
    using _restored = { [Symbol.dispose]: () => syncs.restore() }
    const insert = `INSERT INTO parents VALUES ('a', 3) RETURNING id`
    const writes: readonly (() => unknown)[] = [
      () => db.run('INSERT INTO parents VALUES (?, ?)', ['x', 1]),
      () => db.get(insert),
      () => db.all('DELETE FROM parents RETURNING *'),
      () => db.exec(`INSERT INTO parents VALUES ('y', 2)`),
      () => db.transaction(() => db.transaction(() => void db.run('UPDATE parents SET id = id'))),
      () => db.run('DELETE FROM parents'),
    ]
    for (const write of writes) {
      write()
      const before = syncs.callCount()
      await db.durable()
      assert.equal(syncs.callCount(), before + 1, String(write))
      db.get('SELECT * FROM parents')
      await db.durable()
      assert.equal(syncs.callCount(), before + 1, String(write))
    }
  })

  it('resolves in memory', async () => {
    await using db = openTest([schema], ':memory:')
    await db.durable()
  })

  it('is waited for by close()', async () => {
    const db = openTest()
    db.run('INSERT INTO parents VALUES (?, ?)', ['a', 1])
    const synced = db.durable()
    await db.close()
    await synced
    await db.close()
  })
})

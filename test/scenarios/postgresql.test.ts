/** Debian's PostgreSQL, installed by apt in an image of its own, keeps its data, as `database.test.ts` has it of redis. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { mirrorAnswers } from '#test/support/debian-mirror.ts'
import { PrivateEngine } from '../../tools/private-engine.ts'
import { output } from '../../tools/run-program.ts'

const REPOSITORY = join(import.meta.dirname, '../..')
const IMAGES = join(REPOSITORY, '.cache/images')
const DATA = '/var/lib/postgresql/data'
const PATIENCE_MS = 60_000

const FIRST = `FROM debian
RUN apt-get update && apt-get install -y --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/* && \\
    ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ && \\
    install -d -o postgres -g postgres -m 700 ${DATA} && install -d -o postgres /run/postgresql
COPY --chmod=755 serve /usr/local/bin/
USER postgres
ENV PGDATA=${DATA}
STOPSIGNAL SIGINT
CMD ["serve"]
`
/** What the newer image has at the place of the data is not to be seen. */
const SECOND = `FROM database:1
RUN echo of the image > ${DATA}/extra
ENV RELEASE=2
`
const SERVE = `#!/bin/sh -e
[ -s $PGDATA/PG_VERSION ] || initdb -A trust > /dev/null
exec postgres -c listen_addresses=
`

const SUM = `select count(*) || ' ' || md5(string_agg(v, ',' order by n)) from t`

async function query(engine: PrivateEngine, name: string, sql: string): Promise<string> {
  return (await engine.berth('exec', name, 'psql', '-qAtc', sql)).trim()
}

async function serve(engine: PrivateEngine, name: string, image: string, volume: string): Promise<void> {
  await engine.berth('run', '-d', '--name', name, '-v', `${volume}:${DATA}`, image)
  await ready(engine, name)
}

async function ready(engine: PrivateEngine, name: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      await engine.berth('exec', name, 'pg_isready', '-q')
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await delay(100)
    }
  }
}

async function images(engine: PrivateEngine): Promise<void> {
  const directory = join(engine.root, 'context')
  mkdirSync(directory)
  for (const [name, text] of Object.entries({ first: FIRST, second: SECOND, serve: SERVE }))
    writeFileSync(join(directory, name), text)
  await engine.berth('import', join(IMAGES, 'debian.tar'), 'debian')
  await engine.berth('build', '-q', '-t', 'database:1', '-f', join(directory, 'first'), directory)
  await engine.berth('build', '-q', '-t', 'database:2', '-f', join(directory, 'second'), directory)
}

it(
  'PostgreSQL keeps its data through everything',
  { skip: !mirrorAnswers() && 'no Debian mirror' },
  async () => {
    await output([join(REPOSITORY, 'tools/make-images'), IMAGES])
    await using engine = await PrivateEngine.start('postgresql')
    await images(engine)
    await serve(engine, 'db', 'database:1', 'data')
    await query(engine, 'db', 'create table t(n serial primary key, v text)')
    await query(engine, 'db', 'insert into t(v) select md5(g::text) from generate_series(1, 20000) g')
    const sum = await query(engine, 'db', SUM)
    assert.match(sum, /^20000 /)

    // Stop and start; a newer image, a new container.
    await engine.berth('stop', 'db')
    assert.equal(await engine.berth('inspect', '--format', '{{.State.ExitCode}}', 'db'), '0\n')
    await engine.berth('start', 'db')
    await ready(engine, 'db')
    assert.equal(await query(engine, 'db', SUM), sum)
    await engine.berth('rm', '-f', '-v', 'db')
    await serve(engine, 'db', 'database:2', 'data')
    assert.equal(await query(engine, 'db', SUM), sum)
    assert.equal(
      await engine.berth('exec', 'db', 'sh', '-c', `echo $RELEASE; ls ${DATA} | grep -c extra || true`),
      '2\n0\n',
    )

    // The daemon is killed, the server goes on.
    await engine.down('SIGKILL')
    await engine.up()
    assert.equal(await query(engine, 'db', SUM), sum)

    // A clone has its own life from then on; an archive goes to another engine.
    await engine.berth('stop', 'db')
    await engine.berth('volume', 'clone', 'data', 'twin')
    await serve(engine, 'other', 'database:2', 'twin')
    await query(engine, 'other', 'delete from t')
    await engine.berth('start', 'db')
    await ready(engine, 'db')
    assert.equal(await query(engine, 'db', SUM), sum)
    await engine.berth('stop', 'db')
    const [volume, image] = [join(engine.root, 'volume.tar'), join(engine.root, 'image.tar')]
    await engine.berth('volume', 'export', '-o', volume, 'data')
    await engine.berth('save', '-o', image, 'database:1')
    await using far = await PrivateEngine.start('postgresql-far')
    await far.berth('load', '-i', image)
    await far.berth('volume', 'import', 'moved', volume)
    await serve(far, 'db', 'database:1', 'moved')
    assert.equal(await query(far, 'db', SUM), sum)
  },
)

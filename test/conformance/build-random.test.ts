/**
 * Dockerfiles by chance, which make, change, link and remove a few files again and again, with the same sources and destinations:
 * what berth and BuildKit make of them is compared. BERTH_RANDOM=SEED,COUNT makes other ones.
 */
import assert from 'node:assert/strict'
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { missingPeers } from '#test/support/peers.ts'
import { TwoBuilders } from '#test/support/two-builders.ts'

const [seed = 1, count = 20] = (process.env['BERTH_RANDOM'] ?? '').split(',').filter(Boolean).map(Number)

const path = fc.constantFrom('/a', '/a/b', '/a/b/c', '/l', '/m', '/tmp/x', '/etc/conf', '/f')
const mode = fc.constantFrom('700', '755', '644', '1777', '2755', '4711', '000')
const owner = fc.constantFrom('0:0', '33:29', '1000:1')
const pair = fc.tuple(path, path)
const operation = fc.oneof(
  path.map((at) => `mkdir -p ${at}`),
  fc.tuple(path, fc.nat(5)).map(([at, n]) => `echo ${n} > ${at}`),
  fc.tuple(path, fc.nat(5)).map(([at, n]) => `echo ${n} >> ${at}/file${n}`),
  path.map((at) => `rm -rf ${at}`),
  path.map((at) => `rm -rf ${at} && mkdir ${at} && touch ${at}/new`),
  pair.map(([from, to]) => `mv ${from} ${to}`),
  pair.map(([from, to]) => `ln ${from} ${to}`),
  pair.map(([from, to]) => `ln -s ${from} ${to}`),
  pair.map(([from, to]) => `ln -sfn ..${from} ${to}`),
  pair.map(([from, to]) => `cp -a ${from} ${to}`),
  fc.tuple(mode, path).map(([bits, at]) => `chmod ${bits} ${at}`),
  fc.tuple(owner, path).map(([id, at]) => `chown -h ${id} ${at}`),
  path.map((at) => `touch -d '2001-02-03 04:05:06' ${at}`),
  path.map((at) => `mknod ${at} c 1 3`),
)
/** Some of it fails, which is part of the game. */
const run = fc
  .array(operation, { minLength: 1, maxLength: 4 })
  .map((all) => `RUN ${all.map((each) => `(${each}) 2> /dev/null; `).join('')}true`)
const chown = fc.constantFrom('', '--chown=33:29', '--chown=www-data')
const chmod = fc.constantFrom('', '', '--chmod=640', '--chmod=0755', '--chmod=u=rwX,go=')
const source = fc.constantFrom('f', 'd', 'd/', 'd/*', 'd/x', 'link', '.', 'd/sub', '*', 'dlink')
const destination = fc.oneof(
  path,
  path.map((at) => `${at}/`),
  fc.constantFrom('.', './', 'x', 'x/', '/new/deep', '/new/deep/'),
)
const words = (all: readonly string[]): string => all.filter(Boolean).join(' ')
const copy = fc.tuple(fc.constantFrom('COPY', 'COPY', 'ADD'), chown, chmod, source, destination).map(words)
const copyFrom = fc.tuple(fc.constant('COPY --from=one'), chown, chmod, path, destination).map(words)
const other = fc.oneof(
  path.map((at) => `WORKDIR ${at}`),
  fc.constantFrom('WORKDIR w', 'WORKDIR ..', 'USER 33', 'USER www-data', 'USER root'),
)
const first = fc.oneof(run, run, copy, other)
const dockerfile = fc
  .tuple(
    fc.array(first, { minLength: 1, maxLength: 4 }),
    fc.array(fc.oneof(first, first, copyFrom), { minLength: 1, maxLength: 5 }),
  )
  .map(([one, two]) => `${['FROM bb AS one', ...one, 'FROM bb', ...two].join('\n')}\n`)

/** Both may refuse, each in its words; berth also that one file is written over another. */
function isKnown(line: string): boolean {
  if (!line.startsWith('outcome: ')) return false
  if (line.endsWith('BuildKit: built')) return line.startsWith('outcome: When using COPY or ADD with more')
  return !line.startsWith('outcome: built')
}

describe('Dockerfiles by chance, beside BuildKit', { skip: missingPeers() }, () => {
  let builders: TwoBuilders
  let context: string
  before(async () => {
    builders = await TwoBuilders.start({ bb: { Env: ['PATH=/bin:/usr/bin'], Cmd: ['sh'] } })
    context = join(builders.peers.here, 'random')
    mkdirSync(join(context, 'd/sub'), { recursive: true, mode: 0o750 })
    for (const file of ['f', 'd/x', 'd/sub/y']) writeFileSync(join(context, file), file)
    symlinkSync('d/x', join(context, 'link'))
    symlinkSync('d', join(context, 'dlink'))
    symlinkSync('x', join(context, 'd/inner'))
    linkSync(join(context, 'd/x'), join(context, 'd/hard'))
  })
  after(() => builders[Symbol.asyncDispose]())

  fc.sample(dockerfile, { seed, numRuns: count }).forEach((text, i) => {
    it(`${seed}/${i}`, async () => {
      writeFileSync(join(context, 'Dockerfile'), text)
      const found = await builders.differences(context)
      assert.deepEqual(
        found.filter((line) => !isKnown(line)),
        [],
        text,
      )
    })
  })
})

/**
 * docker-py against a real daemon: docker-py-round.py does the work, and each of its functions is a test here. Every Python
 * on the machine that has the library is asked, as Debian's version and PyPI's differ by years.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { type EngineUnderTest, startEngine } from './engine-under-test.ts'

interface Round {
  readonly name: string
  readonly problem: string | null
}

const ROUND = join(import.meta.dirname, 'docker-py-round.py')
const versions = new Map(['/usr/bin/python3', 'python3'].flatMap((python) => versionOf(python)))

describe(
  'docker-py',
  { skip: versions.size === 0 && 'no Python here has docker-py (python3-docker)' },
  () => {
    let engine: EngineUnderTest
    before(async () => {
      engine = await startEngine()
    })
    after(() => engine[Symbol.asyncDispose]())

    for (const [version, python] of versions) {
      it(`${version} finds what it expects`, async (t) => {
        const child = spawn(python, [ROUND, engine.socket], {
          stdio: ['ignore', 'pipe', 'pipe'],
          timeout: 60_000,
        })
        const exit = once(child, 'exit')
        const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
        const [code] = (await exit) as [number | null]
        const rounds = out
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Round)
        for (const { name, problem } of rounds) {
          await t.test(name, () => assert.equal(problem, null, problem ?? ''))
        }
        assert.equal(code, 0, err)
        assert.ok(rounds.length > 0)
      })
    }
  },
)

/** The library's version and its Python; nothing when it cannot be imported. */
function versionOf(python: string): [version: string, python: string][] {
  const { status, stdout } = spawnSync(python, ['-c', 'import docker; print(docker.__version__)'], {
    encoding: 'utf8',
  })
  return status === 0 ? [[stdout.trim(), python]] : []
}

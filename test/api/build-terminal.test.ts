/** `berth build` in a real terminal, before an engine that plays a build. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ApiFixture } from '#test/support/api-server.ts'
import { CTRL, Terminal } from '#test/support/terminal.ts'

const BERTH = join(import.meta.dirname, '../../src/bin/berth.ts')
const absent = spawnSync('python3', ['--version']).status !== 0 && 'no python3 here to hold a terminal'

describe('berth build in a terminal', { skip: absent }, () => {
  let api: ApiFixture
  let directory = ''
  before(async () => {
    api = await ApiFixture.start()
    directory = mkdtempSync(join(tmpdir(), 'berth-build-tty-'))
    writeFileSync(join(directory, 'Dockerfile'), 'FROM busybox\nRUN make\n')
  })
  after(async () => {
    await api[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true })
  })

  const open = (args: readonly string[], size?: string): Terminal => {
    const env = {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      TERM: 'xterm',
      BERTH_HOST: `unix://${api.path}`,
    }
    return new Terminal([process.execPath, BERTH, 'build', ...args, directory], env, size)
  }

  it('draws steps in place, follows the size of the window, and is canceled by Ctrl-C', async () => {
    await using terminal = open(['--target', 'endless'])
    await terminal.expect(/\[\+\] Building \d+\.\ds \(3\/3\)/)
    await terminal.expect(/ => CACHED \[1\/3\] FROM busybox {30,}0\.0s/)
    // The next frame goes up to where the first line stands.
    await terminal.expect(new RegExp(RegExp.escape('\r\u001b[4A')))
    terminal.resize(10, 30)
    await terminal.expect(/ => \[2\/3\] RUN make {6} 2\.0s/)
    terminal.type(CTRL.c)
    await terminal.expect(/ERROR: the build was cancelled/)
    assert.equal(await terminal.end(), 130)
    const [{ signal }] = api.engine.lastCall('build') as [{ signal: AbortSignal }]
    assert.equal(signal.aborted, true, 'the engine was told')
  })

  it('leaves the last picture where it is, and the failure below', async () => {
    await using terminal = open(['--target', 'fail'])
    await terminal.expect(/FINISHED/)
    await terminal.expect(/ => ERROR \[2\/3\] RUN make/)
    await terminal.expect(/ > \[2\/3\] RUN make:\r\n1\.000 made/)
    await terminal.expect(/ERROR: failed to build: failed to solve: process/)
    assert.equal(await terminal.end(), 1)
  })
})

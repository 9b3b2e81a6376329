/** What a person does with a container, with Docker's own client and with ours, against a real daemon. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { NODE } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { Terminal } from '#test/support/terminal.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"
const BERTH = join(import.meta.dirname, '../../src/bin/berth.ts')

describe('docker', { skip: absent }, () => session(() => ['docker']))
describe('berth', () => session(() => [NODE, BERTH]))

function session(program: () => readonly string[]): void {
  let api: EngineApi
  before(async () => {
    api = await EngineApi.start()
  })
  after(() => api[Symbol.asyncDispose]())
  afterEach(async () => {
    await api.daemon.removeAll()
    await api.daemon.assertNoLeaks()
  })

  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', TERM: 'xterm' }
  const argv = (...args: readonly string[]): string[] => [...program(), '-H', api.daemon.host, ...args]
  const terminal = (...args: readonly string[]): Terminal => new Terminal(argv(...args), env)

  describe('a shell in a terminal', () => {
    it('is pid 1 and sees only its own processes', async () => {
      await using shell = terminal('run', '-it', '--name', 'shell', 'busybox', 'sh')
      shell.type('echo pid=$$\n')
      await shell.expect(/\npid=1\r/)
      shell.type('ps\n')
      const [, processes = ''] = await shell.expect(/COMMAND\r\n([^]*?\bps\r\n)/)
      assert.match(processes, /^ *1 root +\S+ sh\r\n *\d+ root +\S+ ps\r\n$/)
      shell.type('exit 3\n')
      assert.equal(await shell.end(), 3)
      assert.equal((await api.inspect('shell')).State.ExitCode, 3)
    })
  })
}

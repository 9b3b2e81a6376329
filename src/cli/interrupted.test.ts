import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FakeCaller } from '#test/support/cli.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'
import { main } from './main.ts'

describe('a signal while the engine is at it', () => {
  const never = { stream: [], hold: true }
  const cases: readonly (readonly [line: string, request: string])[] = [
    ['ps', 'GET /containers/json'],
    ['stop a b', 'POST /containers/a/stop'],
    ['restart a b', 'POST /containers/a/restart'],
    ['wait a', 'POST /containers/a/wait'],
    ['rm -f a', 'DELETE /containers/a'],
    ['inspect a', 'GET /containers/a/json'],
    ['exec a true', 'POST /containers/a/exec'],
    ['commit a b', 'POST /commit'],
    ['system df', 'GET /system/df'],
    ['network create n', 'POST /networks/create'],
  ]
  for (const [line, request] of cases) {
    it(`ends ${line}`, async () => {
      await using engine = await ScriptedEngine.start({ [request]: never })
      const caller = new FakeCaller({ host: engine.host, stdin: '' })
      const ended = main(line.split(' '), caller)
      while (engine.requests.length === 0) await nextTurn()
      caller.signals.emit('SIGTERM', 'SIGTERM')
      assert.deepEqual([await ended, caller.stdout.text, caller.stderr.text], [143, '', ''])
    })
  }
})

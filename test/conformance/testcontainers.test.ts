/** Testcontainers against a real daemon: testcontainers-round.ts does the work, beside the ports of the containers. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { NODE } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'

const ROUND = join(import.meta.dirname, 'testcontainers-round.ts')

describe('Testcontainers', () => {
  it('finds what it expects', async () => {
    await using api = await EngineApi.start()
    const { netns } = api.daemon.marks
    const env = {
      ...process.env,
      DOCKER_HOST: api.daemon.host,
      // Its image is nowhere here.
      TESTCONTAINERS_RYUK_DISABLED: 'true',
      TESTCONTAINERS_REUSE_ENABLE: 'true',
      NODE_TEST_CONTEXT: '',
    }
    const argv = [`--net=/run/netns/${netns}`, NODE, '--test-reporter=tap', ROUND]
    const child = spawn('nsenter', argv, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 })
    const exit = once(child, 'exit')
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
    const [code] = (await exit) as [number | null]
    assert.equal(code, 0, `${out}\n${err}`)
    assert.match(out, /^# pass [1-9]\d*$/m)
  })
})

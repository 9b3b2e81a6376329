/**
 * Every script in examples/scripts prints the same, on a real engine, whether `docker` is Docker's own command line or berth's
 * under that name, and leaves nothing.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi } from '#test/support/engine-api.ts'
import { NODE, REPOSITORY } from '#test/support/daemon.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"
const SCRIPTS = join(REPOSITORY, 'examples/scripts')

describe('examples/scripts', () => {
  let api: EngineApi
  let directory: string
  before(async () => {
    api = await EngineApi.start()
    directory = mkdtempSync(join(tmpdir(), 'berth-scripts-'))
    const docker = `#!/bin/sh\nexec ${NODE} -- ${join(REPOSITORY, 'src/bin/berth.ts')} "$@"\n`
    writeFileSync(join(directory, 'docker'), docker, { mode: 0o755 })
  })
  after(async () => {
    rmSync(directory, { recursive: true })
    await api[Symbol.asyncDispose]()
  })
  afterEach(() => api.daemon.assertNoLeaks())

  /** What a script prints; it has to succeed. */
  function printed(script: string, path: string): string {
    const { status, stdout, stderr } = spawnSync('sh', [join(SCRIPTS, script)], {
      encoding: 'utf8',
      timeout: 240_000,
      env: {
        PATH: path,
        HOME: directory,
        DOCKER_HOST: api.daemon.host,
        // The client without its builder says so; the builds are the engine's in any case.
        DOCKER_BUILDKIT: '0',
      },
    })
    assert.deepEqual([status, stderr], [0, ''], `${script}: ${stdout}`)
    return stdout
  }

  const usual = process.env['PATH'] ?? '/usr/bin:/bin'
  for (const script of readdirSync(SCRIPTS).filter((name) => name.endsWith('.sh'))) {
    it(`${script} runs with berth as docker`, async (context) => {
      const berth = printed(script, [directory, usual].join(delimiter))
      assert.ok(berth.split('\n').length > 8, berth)
      if (absent !== false) {
        context.diagnostic(absent)
        return
      }
      assert.equal(berth, printed(script, usual))
      const left = ['/containers/json?all=1', '/volumes'].map((path) => api.call('GET', path))
      const [containers, volumes] = await Promise.all(left)
      assert.equal(containers?.text, '[]\n')
      assert.match(volumes?.text ?? '', /"Volumes":(\[\]|null)/)
    })
  }
})

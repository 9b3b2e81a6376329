import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeCaller, runCli } from '#test/support/cli.ts'
import { main } from '../main.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-plugins-'))
  mkdirSync(join(directory, 'cli-plugins'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const METADATA = JSON.stringify({
  SchemaVersion: '0.1.0',
  Vendor: 'Someone',
  Version: 'v1.2',
  ShortDescription: 'Does things',
})

function install(name: string, script = `echo '${METADATA}'`, where = 'cli-plugins'): string {
  const path = join(directory, where, `docker-${name}`)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

/** What berth goes on as. */
async function became(line: string, env: Record<string, string> = {}): Promise<FakeCaller['became']> {
  const caller = new FakeCaller({ env: { DOCKER_CONFIG: directory, ...env }, stdin: '' })
  await main(line.split(' '), caller)
  return caller.became
}

describe('a plugin', () => {
  it('gets the commands that berth does not have, and is told which engine to talk to', async () => {
    const path = install('things')
    const call = await became('things do --it x')
    assert.deepEqual([call?.program, call?.args], [path, ['things', 'do', '--it', 'x']])
    assert.equal(call?.env['DOCKER_HOST'], 'unix:///run/berth/berth.sock')
    assert.equal(call?.env['DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND'], 'berth')
  })

  it('gets the flags before the command', async () => {
    const ca = install('things')
    const line = `-D --tls --tlscacert ${ca} -H tcp://far:1 things x`
    const call = await became(line, { DOCKER_CONTEXT: 'other' })
    assert.deepEqual(call?.args, ['--debug', '--tls', `--tlscacert=${ca}`, 'things', 'x'])
    assert.deepEqual([call?.env['DOCKER_HOST'], call?.env['DOCKER_CONTEXT']], ['tcp://far:1', undefined])
  })

  it('gets the context in use instead of an address', async () => {
    install('things')
    const env = { DOCKER_CONFIG: directory }
    await runCli('context create far --docker host=tcp://far'.split(' '), { env })
    const call = await became('-c far things x')
    assert.deepEqual([call?.env['DOCKER_HOST'], call?.env['DOCKER_CONTEXT']], [undefined, 'far'])
  })

  it('fills the groups that berth has in part', async () => {
    const path = install('buildx')
    for (const line of ['buildx ls', 'builder ls', 'bake --print']) {
      assert.equal((await became(line))?.program, path, line)
    }
    assert.deepEqual((await became('bake --print'))?.args, ['buildx', 'bake', '--print'])
    assert.equal(await became('builder prune --nope'), undefined, 'what berth has it does itself')
  })

  it('is found in directories of the configuration, too, and only when it can be run', async () => {
    mkdirSync(join(directory, 'more'))
    writeFileSync(
      join(directory, 'config.json'),
      JSON.stringify({ cliPluginsExtraDirs: [join(directory, 'more')] }),
    )
    const path = install('things', undefined, 'more')
    assert.equal((await became('things'))?.program, path)
    chmodSync(path, 0o644)
    assert.equal(await became('things'), undefined)
    install('Bad-Name')
    assert.equal(await became('Bad-Name'), undefined)
  })

  it('is listed with what it says of itself, and passed over when it says nothing sensible', async () => {
    install('things')
    install('broken', 'exit 1')
    install('hidden', `echo '{"SchemaVersion":"0.1.0","Vendor":"x","Hidden":true}'`)
    const { stdout } = await runCli(['--help'], { env: { DOCKER_CONFIG: directory, PATH: '/usr/bin:/bin' } })
    assert.match(stdout, /^ {2}things\* +Does things \(Someone, v1\.2\)$/m)
    assert.doesNotMatch(stdout, /broken|hidden\*/)
  })

  it('that is missing is named', async () => {
    const { code, stderr } = await runCli(['scout'], { env: { DOCKER_CONFIG: directory } })
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^berth: unknown command: berth scout\n\nIt is a plugin of Docker's, and none of this name is in /,
    )
  })

  it('completes its own words', async () => {
    install(
      'things',
      `[ "$*" = "__complete things do --" ] && printf -- '--it\\tthe flag\\n--that\\n:4\\nCompletion ended\\n'`,
    )
    const env = { DOCKER_CONFIG: directory, PATH: '/usr/bin:/bin' }
    const complete = async (...words: string[]): Promise<string> =>
      (await runCli(['__complete', '--', ...words], { env })).stdout
    assert.equal(await complete('thi'), 'things\n')
    assert.equal(await complete('things', 'do', '--'), '--it\tthe flag\n--that\n')
  })
})

describe('berth', () => {
  it('says what was meant', async () => {
    const unknown = async (line: string): Promise<string> => (await runCli(line.split(' '))).stderr
    assert.match(
      await unknown('imges'),
      /^berth: unknown command: berth imges\n\nDid you mean 'berth images'\?\n\nRun /,
    )
    assert.match(await unknown('container insepct'), /\nDid you mean 'berth container inspect'\?\n/)
    assert.match(await unknown('ps --fliter x'), /^unknown flag: --fliter\nDid you mean --filter\?\n/)
    assert.match(await unknown('swarm init'), /\nberth has no swarm mode: /)
    assert.equal(
      await unknown('xyzzy'),
      "berth: unknown command: berth xyzzy\n\nRun 'berth --help' for more information\n",
    )
  })
})

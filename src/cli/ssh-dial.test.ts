import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { addressOf, parseEndpoint, type SshEndpoint } from '#client/endpoint.ts'
import { ApiFixture } from '#test/support/api-server.ts'
import { runCli, type CliOptions, type CliResult } from '#test/support/cli.ts'
import { sshArguments } from './ssh-dial.ts'

const BERTH = join(import.meta.dirname, '../bin/berth.ts')
let directory = ''
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-ssh-'))))
afterEach(() => rmSync(directory, { recursive: true }))

/** Programs by name, on a PATH of their own before the usual one. */
function path(programs: Readonly<Record<string, string>>): string {
  const bin = join(directory, 'bin')
  mkdirSync(bin, { recursive: true })
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  return `${bin}:/usr/bin:/bin`
}

/** Runs here what it is told to run there. */
const SSH = 'echo "$@" >> "$0.log"; for command; do :; done; exec sh -c "$command"'

async function remote(
  api: ApiFixture,
  args: readonly string[],
  options: CliOptions = {},
): Promise<CliResult> {
  const berth = `exec ${process.execPath} -- ${BERTH} -H unix://${api.path} "$@"`
  return runCli(args, { host: 'ssh://me@far:2222', env: { PATH: path({ ssh: SSH, berth }) }, ...options })
}

describe('ssh://', () => {
  it('reaches the engine of another host through berth system dial-stdio there', async () => {
    await using api = await ApiFixture.start()
    await api.container('web', ['sleep'])
    const { code, stdout, stderr } = await remote(api, ['ps', '--format', '{{.Names}}'])
    assert.deepEqual([code, stdout, stderr], [0, 'web\n', ''])
    const log = readFileSync(join(directory, 'bin/ssh.log'), 'utf8')
    assert.match(log, /^-o ConnectTimeout=30 -T -l me -p 2222 -- far sh -c /)
    assert.equal(log.trim().split('\n').length, 1, 'one connection for all requests')
  })

  it('carries streams both ways, and the end of stdin', async () => {
    await using api = await ApiFixture.start()
    const result = await remote(api, ['run', '-i', 'demo', 'cat'], { stdin: 'there and back' })
    assert.deepEqual(result, { code: 0, stdout: 'there and back', stderr: '' })
  })

  it('takes docker there when there is no berth', async () => {
    await using api = await ApiFixture.start()
    const PATH = path({
      ssh: SSH,
      docker: `[ "$*" = "-H unix:///x y system dial-stdio" ] && exec ${process.execPath} -- ${BERTH} -H unix://${api.path} system dial-stdio; echo "$@" >&2`,
    })
    const result = await runCli(['ps', '-q'], { host: 'ssh://far/x%20y', env: { PATH } })
    assert.deepEqual(result, { code: 0, stdout: '', stderr: '' })
  })

  it('says what ssh said', async () => {
    const PATH = path({ ssh: 'echo "far: Permission denied (publickey)." >&2; exit 255' })
    const { code, stderr } = await runCli(['ps'], { host: 'ssh://far', env: { PATH } })
    assert.equal(code, 1)
    assert.match(
      stderr,
      /ssh:\/\/far: ssh ended with 255: far: Permission denied \(publickey\)\.; try it with: ssh far docker version/,
    )
  })

  it('is parsed as Docker parses it, and never becomes an option of ssh', () => {
    const parsed = parseEndpoint('ssh://me@[::1]:22/run/x') as SshEndpoint
    assert.deepEqual(parsed, { kind: 'ssh', user: 'me', host: '::1', port: 22, path: '/run/x' })
    assert.equal(addressOf(parsed), 'ssh://me@[::1]:22/run/x')
    assert.deepEqual(sshArguments(parseEndpoint('ssh://far') as SshEndpoint).slice(0, 5), [
      '-o',
      'ConnectTimeout=30',
      '-T',
      '--',
      'far',
    ])
    for (const bad of ['ssh://', 'ssh://a:b@far', 'ssh://far?x', 'ssh://-oProxyCommand=x', 'ssh://-x@far']) {
      assert.throws(() => parseEndpoint(bad), /unable to parse docker host/, bad)
    }
  })
})

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { runCli, type CliResult } from '#test/support/cli.ts'
import { ClientConfig } from '../client-config.ts'
import { ContextStore } from './context-store.ts'

let directory = ''
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-contexts-'))))
afterEach(() => rmSync(directory, { recursive: true }))

function berth(line: string, env: Record<string, string> = {}): Promise<CliResult> {
  return runCli(line.split(' '), { env: { DOCKER_CONFIG: join(directory, 'config'), ...env } })
}

async function ok(line: string, env?: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await berth(line, env)
  assert.equal(code, 0, `${line}: ${stderr}`)
  return stdout
}

async function refused(line: string, env?: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await berth(line, env)
  assert.deepEqual([code, stdout], [1, ''], line)
  return stderr
}

function pems(): string {
  for (const name of ['ca', 'cert', 'key']) writeFileSync(join(directory, name), `the ${name}`)
  return ['ca', 'cert', 'key'].map((name) => `${name}=${join(directory, name)}`).join(',')
}

describe('berth context', () => {
  it('creates, lists, uses, shows, updates and removes', async () => {
    assert.equal(await ok('context create far --docker host=tcp://far.example --description a'), 'far\n')
    assert.equal(await ok('context create near --docker host=unix:///near'), 'near\n')
    assert.equal(await ok('context show'), 'default\n')
    assert.equal(await ok('context use far'), 'far\n')
    assert.equal(await ok('context show'), 'far\n')
    await ok('context update far --description b')
    assert.equal(
      await ok('context ls'),
      [
        'NAME      DESCRIPTION                               DOCKER ENDPOINT                ERROR',
        'default   Current DOCKER_HOST based configuration   unix:///run/berth/berth.sock   ',
        'far *     b                                         tcp://far.example              ',
        'near                                                unix:///near                   ',
        '',
      ].join('\n'),
    )
    assert.match(await refused('context rm far'), /context "far" is in use, set -f flag to force remove/)
    assert.equal(await ok('context rm -f far near'), 'far\nnear\n')
    assert.equal(await ok('context ls -q'), 'default\n')
    assert.equal(readFileSync(join(directory, 'config/config.json'), 'utf8'), '{}\n')
  })

  it('keeps keys where only their owner reads them, and takes them along into an archive', async () => {
    await ok(`context create far --docker host=tcp://far.example:2376,${pems()}`)
    const { tls } = new ContextStore(new ClientConfig(join(directory, 'config'))).paths('far')
    const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8)
    assert.deepEqual([mode(tls), mode(join(tls, 'docker/key.pem'))], ['700', '600'])

    const archive = join(directory, 'far.tar')
    await ok(`context export far ${archive}`)
    assert.equal(mode(archive), '600')
    assert.match(await refused(`context export far ${archive}`), /exists already/)
    await ok(`context import copy ${archive}`)
    const stored = JSON.parse(await ok('context inspect copy')) as Record<string, unknown>[]
    assert.deepEqual(stored[0]?.['TLSMaterial'], { docker: ['ca.pem', 'cert.pem', 'key.pem'] })
    assert.equal(stored[0]?.['Name'], 'copy')
  })

  it('copies the one in use, or another one', async () => {
    await ok('context create far --docker host=tcp://far.example --description a')
    await ok('context create other --from far --description b')
    assert.equal(
      await ok('context inspect -f {{.Metadata.Description}}|{{.Endpoints.docker.Host}} other'),
      'b|tcp://far.example\n',
    )
    await ok('-c far context create third')
    assert.equal(await ok('context inspect -f {{.Endpoints.docker.Host}} third'), 'tcp://far.example\n')
  })

  it('says what overrides it', async () => {
    await ok('context create far --docker host=tcp://far.example')
    const { stderr } = await berth('context use far', { DOCKER_HOST: 'unix:///d' })
    assert.match(stderr, /^Warning: DOCKER_HOST environment variable overrides the active context/m)
    assert.equal(await ok('context show', { DOCKER_HOST: 'unix:///d' }), 'default\n')
    assert.equal(await ok('context show', { DOCKER_CONTEXT: 'other' }), 'other\n')
  })

  it('refuses names and settings that Docker refuses', async () => {
    assert.match(await refused('context create default'), /"default" is a reserved context name/)
    assert.match(await refused('context create a/b'), /context name "a\/b" is invalid/)
    assert.match(await refused('context create ab --docker foo=bar'), /unrecognized config key: foo/)
    assert.match(await refused('context create ab --docker host=tcp://x,ca=/nope'), /cannot read \/nope/)
    assert.match(await refused('context create ab --docker host=ftp://x'), /unable to parse docker host/)
    await ok('context create ab --docker host=tcp://x')
    assert.match(await refused('context create ab'), /context "ab" already exists/)
    assert.match(await refused('context use nope'), /context "nope": context not found/)
    assert.match(await refused('context rm default'), /context "default" cannot be removed/)
    assert.match(await refused('context export nope'), /context "nope": context not found/)
    assert.ok(!existsSync(join(directory, 'nope.dockercontext')))
  })

  it('reads only archives of contexts', async () => {
    const file = join(directory, 'junk')
    writeFileSync(file, 'x'.repeat(2000))
    assert.match(await refused(`context import ab ${file}`), /cannot read the exported context: invalid tar/)
    writeFileSync(file, Buffer.alloc(1024))
    assert.match(await refused(`context import ab ${file}`), /it has no meta\.json/)
    assert.match(await refused('context import ab /nonexistent'), /cannot read the archive \/nonexistent/)
  })

  it('goes on with the others when one of several is missing', async () => {
    await ok('context create ab --docker host=tcp://x')
    const { code, stdout, stderr } = await berth('context inspect nope ab')
    assert.equal(code, 1)
    assert.match(stderr, /context "nope": context not found/)
    assert.equal((JSON.parse(stdout) as unknown[]).length, 1)
  })
})

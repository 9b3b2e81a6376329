/** Whom the engine is told that a request is from: Docker's client and ours read one file and send the same. */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { hostOf } from '#cli/credentials/servers.ts'
import { runCli } from '#test/support/cli.ts'
import { fakeCredentialHelper } from '#test/support/credential-helper.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'

const run = promisify(execFile)
const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const requests: readonly string[] = [
  'pull demo',
  'pull -q host:5000/demo:1',
  'pull -a host:5000/demo',
  'pull --platform linux/arm64 demo',
  'pull old:5000/demo',
  'push demo',
  'push -a host:5000/demo',
  'push --platform linux/arm64 host:5000/demo:1',
  'push docker.io.evil.com/demo',
  'search demo',
  'search --limit 5 -f stars=3 host:5000/demo',
]

describe('docker and berth', { skip: absent }, () => {
  let directory = ''
  let engine: ScriptedEngine
  let env: Readonly<Record<string, string>>
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-parity-'))
    const pushes = ['docker.io/library/demo', 'host:5000/demo', 'docker.io.evil.com/demo']
    engine = await ScriptedEngine.start({
      'POST /auth': { json: { Status: 'Login Succeeded' } },
      'GET /images/search': { json: [] },
      'POST /images/create': { stream: [] },
      ...Object.fromEntries(pushes.map((name) => [`POST /images/${name}/push`, { stream: [] }])),
    })
    const { PATH = '' } = await fakeCredentialHelper(directory, 'fake')
    env = { PATH: `${PATH}:${process.env['PATH']}`, DOCKER_CONFIG: directory, HOME: '/nonexistent' }
  })
  after(async () => {
    await engine[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  async function asked(act: () => Promise<unknown>): Promise<object> {
    engine.asked.length = 0
    await act()
    const [request] = engine.requests
    assert.ok(request !== undefined)
    const header = Buffer.from(String(request.headers['x-registry-auth'] ?? ''), 'base64').toString()
    const auth = (header === '' ? {} : JSON.parse(header)) as Record<string, string>
    // Docker repeats the key as it found it; an engine goes by the name of the image in any case.
    const of = auth['serveraddress'] === undefined ? {} : { serveraddress: hostOf(auth['serveraddress']) }
    const query = Object.fromEntries(request.query)
    const json = query['platform']?.startsWith('{') === true ? query['platform'] : undefined
    const platform = json === undefined ? {} : { platform: JSON.parse(json) as object }
    return { path: request.path, query: { ...query, ...platform }, auth: { ...auth, ...of } }
  }

  async function bothSend(words: string): Promise<void> {
    const args = words.split(' ')
    const docker = await asked(() => run('docker', ['-H', engine.host, ...args], { env }))
    const berth = await asked(() => runCli(args, { host: engine.host, env }))
    assert.deepEqual(berth, docker, words)
  }

  it('send the same with what berth login has stored', async () => {
    for (const server of ['', 'host:5000']) {
      const args = ['login', '-u', 'bob', '--password-stdin', ...(server === '' ? [] : [server])]
      assert.equal((await runCli(args, { host: engine.host, env, stdin: 's:3' })).code, 0)
    }
    for (const words of requests) await bothSend(words)
  })

  it('send the same with old keys, tokens and helpers', async () => {
    await writeFile(
      join(directory, 'config.json'),
      JSON.stringify({
        auths: {
          'https://index.docker.io/v1/': { auth: base64('bob:'), identitytoken: 'T' },
          'https://old:5000/v1/': { auth: base64('ann:x') },
        },
        credHelpers: { 'host:5000': 'fake' },
      }),
    )
    for (const words of requests) await bothSend(words)
  })

  it('know the credentials that the other has stored with a helper', async () => {
    const args = ['login', '-u', 'bob', '--password-stdin', 'host:5000']
    assert.equal((await runCli(args, { host: engine.host, env, stdin: 's:3' })).code, 0)
    await bothSend('pull host:5000/demo')
    await run('docker', ['logout', 'host:5000'], { env })
    assert.equal((await runCli(['logout', 'host:5000'], { env })).stdout, 'Not logged in to host:5000\n')
  })
})

/** What a person does with a registry, with Docker's own client and with ours: a real daemon, our registry, accounts. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { NODE, type Result, run } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { Terminal } from '#test/support/terminal.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"
const SOURCES = join(import.meta.dirname, '../../src/bin')
const HOST = '127.0.0.1:5000'
const IMAGE = `${HOST}/team/demo:1`

describe('docker with a registry', { skip: absent }, () => session('docker', ['docker']))
describe('berth with a registry', () => session('berth', [NODE, join(SOURCES, 'berth.ts')]))

function session(name: 'docker' | 'berth', program: readonly string[]): void {
  let api: EngineApi
  let registry: ChildProcess
  let config = ''
  before(async () => {
    api = await EngineApi.start()
    config = join(api.daemon.root, 'client')
    mkdirSync(config)
    registry = await serveRegistry()
  })
  after(async () => {
    registry.kill()
    if (registry.exitCode === null) await once(registry, 'exit')
    await api.daemon.removeAll()
    await api[Symbol.asyncDispose]()
  })

  const registryProgram = (...args: readonly string[]): string[] => [
    `--net=/run/netns/${api.daemon.marks.netns}`,
    NODE,
    '--disable-warning=ExperimentalWarning',
    join(SOURCES, 'berth-registry.ts'),
    ...args,
  ]

  async function serveRegistry(): Promise<ChildProcess> {
    const accounts = join(api.daemon.root, 'htpasswd')
    const added = run('nsenter', registryProgram('user', 'add', '--htpasswd', accounts, 'bob'), 's3cret\n')
    assert.equal(added.code, 0, added.stderr)
    const root = join(api.daemon.root, 'registry')
    const options = ['--root', root, '--htpasswd', accounts, '--log-level', 'error']
    const args = registryProgram('serve', '--listen', HOST, ...options)
    const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface(child.stdout)) if (line.includes(HOST)) break
    child.stdout.resume()
    return child
  }

  /** In the daemon's network: Docker's client talks to the registry itself when it logs in. */
  const argv = (args: readonly string[]): string[] => [
    `--net=/run/netns/${api.daemon.marks.netns}`,
    'env',
    `DOCKER_CONFIG=${config}`,
    ...program,
    '-H',
    api.daemon.host,
    ...args,
  ]
  const client = (line: string, input?: string): Result => run('nsenter', argv(line.split(' ')), input)
  const says = (line: string, input?: string): string => {
    const { code, stdout, stderr } = client(line, input)
    assert.equal(code, 0, `${line}: ${stderr}`)
    return stdout
  }

  it('logs in with the right password only', () => {
    const wrong = client(`login -u bob --password-stdin ${HOST}`, 'wrong')
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /unauthorized/)
    assert.match(says(`login -u bob --password-stdin ${HOST}`, 's3cret\n'), /Login Succeeded/)
    const file = join(config, 'config.json')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.ok(!readFileSync(file, 'utf8').includes(Buffer.from('bob:wrong').toString('base64')))
    // Docker's client does not try stored identity tokens.
    if (name === 'berth') assert.match(says(`login ${HOST}`), /Login Succeeded/)
  })

  it('tags, pushes, and pushes again without sending anything', () => {
    says(`tag busybox ${IMAGE}`)
    assert.match(says(`push ${IMAGE}`), /: Pushed\n1: digest: sha256:[0-9a-f]{64} size: \d+\n/)
    assert.match(says(`push ${IMAGE}`), /: Layer already exists\n/)
    says(`tag busybox ${HOST}/other/demo:2`)
    assert.match(says(`push -a ${HOST}/other/demo`), /: Mounted from team\/demo\n/)
    assert.equal(says(`push -q ${IMAGE}`), `${IMAGE}\n`)
  })

  it('finds what was pushed', () => {
    const names = says(`search --format {{.Name}} ${HOST}/demo`).trim().split('\n').sort()
    assert.deepEqual(names, ['other/demo', 'team/demo'])
  })

  it('removes, pulls and runs', () => {
    says(`rmi busybox ${IMAGE} ${HOST}/other/demo:2`)
    assert.match(
      says(`pull ${IMAGE}`),
      /Pull complete\nDigest: sha256:.*\nStatus: Downloaded newer image for 127/,
    )
    assert.match(says(`pull ${IMAGE}`), /Status: Image is up to date for 127/)
    assert.equal(says(`pull -q ${IMAGE}`), `${IMAGE}\n`)
    assert.match(says('system prune -af'), /Deleted Images:\nuntagged: 127/)
    const ran = client(`run --rm ${IMAGE} echo it runs`)
    assert.deepEqual([ran.code, ran.stdout], [0, 'it runs\n'])
    assert.match(ran.stderr, /^Unable to find image '127.0.0.1:5000\/team\/demo:1' locally\n/)
    assert.equal(says(`run --rm --pull always -q ${IMAGE} echo again`), 'again\n')
    assert.equal(client(`run --pull never ${HOST}/team/none true`).code, 125)
    assert.equal(client(`run ${HOST}/team/none true`).code, 125)
  })

  it('shows bars on a terminal', async () => {
    says('system prune -af')
    const env = { PATH: process.env['PATH'], TERM: 'xterm', HOME: '/nonexistent' }
    await using terminal = new Terminal(['nsenter', ...argv(['pull', IMAGE])], env, '24 60')
    await terminal.expect(/1: Pulling from team\/demo/)
    await terminal.expect(/[0-9a-f]{12}: Pull complete/)
    await terminal.expect(/Status: Downloaded newer image/)
    assert.equal(await terminal.end(), 0)
  })

  it('shows what is there as a tree', { skip: name === 'docker' && 'in words of its own' }, () => {
    const tree = says('images --tree')
    assert.match(
      tree,
      /^IMAGE +ID +DISK USAGE +CONTENT SIZE +EXTRA\n127\.0\.0\.1:5000\/team\/demo:1 .*\n└─ linux\//,
    )
    assert.match(says('system df -v'), /\nON DISK +SIZE +RECLAIMABLE +WHAT IT IS\nImages /)
    assert.equal(says('system fsck'), 'Everything is as it should be.\n')
  })

  it('forgets, and may do nothing then', () => {
    assert.match(says(`logout ${HOST}`), /Removing login credentials for 127\.0\.0\.1:5000/)
    const push = client(`push ${IMAGE}`)
    assert.equal(push.code, 1)
    assert.match(push.stderr, /denied|unauthorized/)
    assert.match(client(`pull ${HOST}/team/none`).stderr, /denied|unauthorized/)
  })
}

/** The dev-container CLI with Docker's client: a folder is opened in a container, worked in, and found again. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { NODE, REPOSITORY, type Result } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'

const CLI = join(REPOSITORY, 'node_modules/@devcontainers/cli/devcontainer.js')
const hasDocker = spawnSync('docker', ['--version']).status === 0

/** What the last line of its output says. */
interface Outcome {
  readonly outcome: string
  readonly containerId: string
  readonly remoteUser: string
  readonly remoteWorkspaceFolder: string
}

describe('dev containers', { skip: !hasDocker && "Docker's client is not installed" }, () => {
  let api: EngineApi
  let folder: string
  before(async () => {
    api = await EngineApi.start()
    folder = mkdtempSync(join(tmpdir(), 'berth-dev-'))
  })
  after(async () => {
    rmSync(folder, { recursive: true })
    await api[Symbol.asyncDispose]()
  })

  function devcontainer(command: string, ...args: readonly string[]): Result {
    // Its helper begins with the client's own way to say which engine.
    const env = { ...process.env, DOCKER_HOST: api.daemon.host, DOCKER_BUILDKIT: '0' }
    const argv = [CLI, command, '--workspace-folder', folder, ...args]
    const { status, stdout, stderr } = spawnSync(NODE, argv, { env, encoding: 'utf8', timeout: 120_000 })
    return { code: status ?? -1, stdout, stderr }
  }

  function up(...args: readonly string[]): Outcome {
    const { code, stdout, stderr } = devcontainer('up', ...args)
    assert.equal(code, 0, `${stdout}\n${stderr}`)
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Outcome
  }

  function configure(document: object): void {
    mkdirSync(join(folder, '.devcontainer'), { recursive: true })
    writeFileSync(join(folder, '.devcontainer/devcontainer.json'), JSON.stringify(document))
  }

  it('opens a folder in a container of an image, and works in it', async () => {
    configure({
      image: 'busybox',
      remoteUser: 'root',
      updateRemoteUserUID: false,
      containerEnv: { GREETING: 'hello' },
      onCreateCommand: 'echo created > created',
      postStartCommand: ['sh', '-c', 'echo started >> created'],
      mounts: ['type=volume,source=dev-cache,target=/cache'],
      forwardPorts: [8080],
    })
    writeFileSync(join(folder, 'a'), 'of the host\n')
    const { outcome, containerId, remoteWorkspaceFolder } = up()
    assert.equal(outcome, 'success')
    assert.equal(readFileSync(join(folder, 'created'), 'utf8'), 'created\nstarted\n')

    const seen = devcontainer('exec', 'sh', '-c', 'pwd; cat a; echo $GREETING; echo of the container > b')
    assert.deepEqual([seen.code, seen.stdout], [0, `${remoteWorkspaceFolder}\nof the host\nhello\n`])
    assert.equal(readFileSync(join(folder, 'b'), 'utf8'), 'of the container\n')
    assert.equal(devcontainer('exec', 'sh', '-c', 'exit 7').code, 7)

    const { Config, Mounts } = await api.inspect(containerId)
    assert.equal(Config?.Labels?.['devcontainer.local_folder'], folder)
    assert.deepEqual(Mounts?.map(({ Destination }) => Destination).toSorted(), [
      '/cache',
      remoteWorkspaceFolder,
    ])
  })

  it('finds its container again, also when it was stopped, and makes a new one when asked', async () => {
    const first = up()
    await api.call('POST', `/containers/${first.containerId}/stop?t=1`)
    const second = up()
    assert.equal(second.containerId, first.containerId)
    const third = up('--remove-existing-container')
    assert.notEqual(third.containerId, first.containerId)
    await api.refused(404, 'GET', `/containers/${first.containerId}/json`)
    await api.remove(third.containerId)
  })

  it('builds the image of a folder with a Dockerfile', async () => {
    configure({ build: { dockerfile: 'Dockerfile', args: { WHO: 'me' } }, updateRemoteUserUID: false })
    writeFileSync(join(folder, '.devcontainer/Dockerfile'), 'FROM busybox\nARG WHO\nRUN echo $WHO > /who\n')
    const { containerId, remoteUser } = up('--buildkit', 'never')
    assert.equal(remoteUser, 'root')
    assert.equal(devcontainer('exec', 'cat', '/who').stdout, 'me\n')
    await api.remove(containerId)
  })

  it('says what is wrong with an image that nobody has', () => {
    configure({ image: 'localhost:1/nope' })
    const { code, stdout } = devcontainer('up')
    assert.equal(code, 1)
    assert.equal((JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Outcome).outcome, 'error')
  })
})

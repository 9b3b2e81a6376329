/** What everybody types first, with Docker's client and with ours, where a stand-in for Docker Hub has its names. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Digest } from '#base/digest.ts'
import { NODE, type Result, run, TestDaemon } from '#test/support/daemon.ts'
import { Hub } from '#test/support/hub/hub.ts'
import { debian, GREETING, helloWorld } from '#test/support/hub/hub-images.ts'
import type { RegistryContents } from '#test/support/registry-images.ts'
import { Terminal } from '#test/support/terminal.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"
const BERTH = join(import.meta.dirname, '../../src/bin/berth.ts')
const ENV = { PATH: process.env['PATH'], HOME: '/nonexistent', TERM: 'xterm' }

const hello = await helloWorld()
const digest = hello.find('latest')
/** As it is shown while it comes. */
const layer = layerOfThisPlatform(hello).slice(7, 19)
const contents: Readonly<Record<string, RegistryContents>> = {
  'library/hello-world': hello,
  'library/debian': debian(),
}

describe('docker, for the first time', { skip: absent }, () => session('docker', ['docker']))
describe('berth, for the first time', () => session('berth', [NODE, BERTH]))

function session(name: 'docker' | 'berth', program: readonly string[]): void {
  let daemon: TestDaemon
  let hub: Hub
  before(async () => {
    hub = await Hub.make(contents, { ann: 's3cret' })
    daemon = await TestDaemon.start({ dress: (...argv) => hub.dress(...argv) })
    await hub.open(daemon)
    mkdirSync(join(daemon.root, 'client'))
  })
  after(async () => {
    await hub[Symbol.asyncDispose]()
    await daemon[Symbol.asyncDispose]()
  })

  const argv = (...args: readonly string[]): string[] => {
    const client = [...program, '-H', daemon.host, ...args]
    const config = `DOCKER_CONFIG=${join(daemon.root, 'client')}`
    return [`--net=/run/netns/${daemon.marks.netns}`, ...hub.dress('env', config, ...client)]
  }
  const client = (line: string, input?: string): Result => run('nsenter', argv(...line.split(' ')), input)
  const says = (line: string): string => {
    const { code, stdout, stderr } = client(line)
    assert.equal(code, 0, `${line}: ${stderr}`)
    return stdout
  }
  /** Code, and everything said; the words that the clients themselves add at the end do not count. */
  const fails = (line: string, input?: string): readonly [number, string] => {
    const { code, stderr } = client(line, input)
    return [code, stderr.split('\n\n')[0]!.trim()]
  }
  it('run hello-world', async () => {
    await hub.requests()
    const { code, stdout, stderr } = client('run hello-world')
    assert.deepEqual([code, stdout], [0, `\n${GREETING}\nIt was pulled by name and has run.\n\n`], stderr)
    assert.deepEqual(stderr.trimEnd().split('\n'), [
      "Unable to find image 'hello-world:latest' locally",
      'latest: Pulling from library/hello-world',
      `${layer}: Pulling fs layer`,
      `${layer}: Verifying Checksum`,
      `${layer}: Download complete`,
      `${layer}: Pull complete`,
      `Digest: ${digest}`,
      'Status: Downloaded newer image for hello-world:latest',
    ])
    const requests = await hub.requests()
    const atCdn = requests.filter(({ role }) => role === 'cdn')
    assert.ok(atCdn.length > 0 && atCdn.every(({ authorized }) => !authorized), JSON.stringify(requests))
    assert.match(says('ps -a --format {{.Image}}:{{.Status}}'), /^hello-world:Exited \(0\) /)
    assert.equal(client('run --rm hello-world').stderr, '')
    assert.match(
      says('images'),
      /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\nhello-world +latest +[0-9a-f]{12} /,
    )
  })

  it('pull debian, and once more', () => {
    const lines = says('pull debian').trimEnd().split('\n')
    assert.equal(lines[0], 'Using default tag: latest')
    assert.equal(lines[1], 'latest: Pulling from library/debian')
    assert.match(lines.at(-4)!, /^[0-9a-f]{12}: Pull complete$/)
    assert.match(lines.at(-3)!, /^Digest: sha256:[0-9a-f]{64}$/)
    assert.deepEqual(lines.slice(-2), [
      'Status: Downloaded newer image for debian:latest',
      'docker.io/library/debian:latest',
    ])
    assert.deepEqual(says('pull debian').trimEnd().split('\n'), [
      'Using default tag: latest',
      'latest: Pulling from library/debian',
      lines.at(-3),
      'Status: Image is up to date for debian:latest',
      'docker.io/library/debian:latest',
    ])
  })

  it('run -it debian bash', async () => {
    await using shell = new Terminal(['nsenter', ...argv('run', '-it', '--rm', 'debian', 'bash')], ENV)
    await shell.expect(/root@[0-9a-f]{12}:\/# /)
    shell.type('. /etc/os-release; echo "it is $NAME"; tty; exit 7\n')
    await shell.expect(/it is Debian GNU\/Linux\r\n\/dev\/(pts\/0|console)\r\n/)
    assert.equal(await shell.end(), 7)
  })

  it('run -it debian bash, when it is not here yet', async () => {
    says('rmi debian')
    await using shell = new Terminal(['nsenter', ...argv('run', '-it', '--rm', 'debian', 'bash')], ENV)
    await shell.expect(/Unable to find image 'debian:latest' locally\r\n/)
    await shell.expect(/latest: Pulling from library\/debian/)
    await shell.expect(/[0-9a-f]{12}: Pull complete/)
    await shell.expect(/Status: Downloaded newer image for debian:latest\r\n/)
    await shell.expect(/root@[0-9a-f]{12}:\/# /)
    shell.type('exit\n')
    assert.equal(await shell.end(), 0)
  })

  it('search hello', () => {
    const lines = says('search hello').trimEnd().split('\n')
    assert.match(lines[0]!, /^NAME +DESCRIPTION +STARS +OFFICIAL$/)
    assert.match(lines[1]!, /^hello-world +Hello World! \(an example of minimal Dockeriz… +2532 +\[OK\]$/)
    assert.match(
      lines[2]!,
      /^kitematic\/hello-world-nginx +A light-weight nginx container that demonstr… +153 *$/,
    )
    assert.equal(lines.length, 3)
    assert.equal(says('search --filter is-official=true --format {{.Name}} hello'), 'hello-world\n')
    assert.equal(says('search --filter stars=1000 --format {{.StarCount}} hello'), '2532\n')
    assert.equal(says('search --limit 1 --format {{.Name}} hello'), 'hello-world\n')
    assert.match(says('search nothing-like-it'), /^NAME +DESCRIPTION +STARS +OFFICIAL\n$/)
  })

  it('a tag that does not exist', () => {
    const missing = 'manifest for hello-world:nope not found: manifest unknown: manifest unknown'
    assert.deepEqual(fails('pull hello-world:nope'), [1, `Error response from daemon: ${missing}`])
    const [code, text] = fails('run hello-world:nope')
    assert.equal(code, 125)
    assert.deepEqual(text.split('\n'), [
      "Unable to find image 'hello-world:nope' locally",
      `${name}: Error response from daemon: ${missing}`,
    ])
  })

  it('a repository that does not exist', () => {
    const denied =
      "repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
    assert.deepEqual(fails('pull helo-wrold'), [
      1,
      `Error response from daemon: pull access denied for helo-wrold, ${denied}`,
    ])
    assert.deepEqual(fails('pull ann/secret:1'), [
      1,
      `Error response from daemon: pull access denied for ann/secret, ${denied}`,
    ])
    assert.deepEqual(fails('run helo-wrold')[1].split('\n'), [
      "Unable to find image 'helo-wrold:latest' locally",
      `${name}: Error response from daemon: pull access denied for helo-wrold, ${denied}`,
    ])
  })

  it('a push to where one may not', () => {
    const { code, stdout, stderr } = client('push hello-world')
    assert.equal(code, 1)
    assert.match(
      stdout,
      /^Using default tag: latest\nThe push refers to repository \[docker\.io\/library\/hello-world\]\n/,
    )
    assert.match(stderr, /denied: requested access to the resource is denied\n/)
  })

  it('a login with a wrong password, and one with the right one', () => {
    const [code, text] = fails('login -u ann --password-stdin', 'wrong')
    assert.equal(code, 1)
    assert.equal(
      text,
      'Error response from daemon: Get "https://registry-1.docker.io/v2/": unauthorized: incorrect username or password',
    )
    const good = client('login -u ann --password-stdin', 's3cret\n')
    assert.equal(good.code, 0, good.stderr)
    assert.match(good.stdout, /Login Succeeded\n/)
    const stored = JSON.parse(readFileSync(join(daemon.root, 'client/config.json'), 'utf8')) as {
      auths: Record<string, unknown>
    }
    assert.deepEqual(Object.keys(stored.auths), ['https://index.docker.io/v1/'])
  })

  it('pulls beyond the limit, and with an account', async () => {
    await hub.rules({ limit: 0 })
    says('container prune -f')
    says('rmi -f hello-world')
    says('pull hello-world')
    says('rmi hello-world')
    says('logout')
    await hub.requests()
    assert.deepEqual(fails('pull hello-world'), [
      1,
      'Error response from daemon: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit',
    ])
    const asked = (await hub.requests()).filter(({ method, role }) => method === 'GET' && role === 'registry')
    assert.ok(asked.length <= 8, JSON.stringify(asked))
  })

  it('nothing counts for an image that is here already', async () => {
    await hub.rules({ limit: 100 })
    says('pull hello-world')
    await hub.rules({ limit: 0 })
    assert.match(says('pull hello-world'), /Status: Image is up to date for hello-world:latest/)
    assert.equal(says('run --rm --pull always --quiet hello-world'), says('run --rm hello-world'))
  })

  it(
    'another platform of the same name',
    { skip: name === 'docker' && 'warns in words of its own' },
    async () => {
      await hub.rules({ limit: 100 })
      const other = process.arch === 'arm64' ? 'linux/amd64' : 'linux/arm64'
      says(`pull --platform ${other} hello-world`)
      assert.equal(says('image inspect --format {{.Os}}/{{.Architecture}} hello-world'), `${other}\n`)
      assert.match(
        fails(`pull --platform linux/s390x hello-world`)[1],
        /no matching manifest for linux\/s390x in the manifest list entries/,
      )
    },
  )
}

function layerOfThisPlatform({ tags, manifests }: RegistryContents): string {
  const document = <T>(at: string | undefined): T =>
    JSON.parse(Buffer.from(manifests.get(at as Digest)!.bytes).toString()) as T
  const index = document<{ manifests: { digest: string }[] }>(tags.get('latest'))
  const manifest = document<{ layers: { digest: string }[] }>(index.manifests[0]?.digest)
  return manifest.layers[0]!.digest
}

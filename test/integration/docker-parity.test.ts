/** The same command lines through docker's program and ours, against an engine that records what it is asked. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { runCli } from '#test/support/cli.ts'
import { goldenAnswers } from '#test/support/golden-answers.ts'

const hasDocker = spawnSync('docker', ['--version']).status === 0

interface Run {
  readonly code: number | null
  readonly stdout: string
  /** The first line, without the program's name. */
  readonly stderr: string
  readonly requests: readonly string[]
}

/** `create` lines whose bodies must agree; what is zero or empty says nothing and is left out of both. */
const creates = `
-it -e A=1 -e HOME -e UNSET demo
-p 80 -p 127.0.0.1:8080-8082:80-82/udp -p 8000-8010:80 -p [::1]:53:53/tcp -p 0.0.0.0::9 -P demo
--expose 7 --expose 8-10/udp demo
-v /a:/b:ro -v /anon -v ./rel:/c demo
--mount type=bind,src=/x,dst=/y,ro --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777 demo
--mount type=volume,src=v,dst=/y,volume-nocopy,volume-label=a=b,volume-driver=local,volume-opt=o=size=1m demo
--restart on-failure:3 --stop-signal HUP --stop-timeout 4 demo
--health-cmd x --health-interval 5s --health-timeout 1m30s --health-retries 2 --health-start-period 1s demo
--no-healthcheck --init --read-only --privileged --cap-add net_admin --cap-drop ALL demo
--security-opt systempaths=unconfined --security-opt no-new-privileges --security-opt label:disable demo
--add-host a:1.2.3.4 --add-host b=::1 --add-host c:[::2] --dns 1.1.1.1 --dns-search a.b --dns-option ndots:1 demo
-m 64m --memory-swap -1 --memory-reservation 32MB --cpus 1.5 --cpu-shares 3 --cpuset-cpus 0-3 demo
--pids-limit 7 --blkio-weight 10 --oom-score-adj -5 --shm-size 1g --ulimit nofile=10:20 --ulimit core=-1 demo
--device /dev/null --device /dev/zero:/dev/z:rw --device-read-bps /dev/sda:1mb --blkio-weight-device /dev/sda:500 demo
--gpus all --tmpfs /run:size=1m --sysctl net.ipv4.ip_forward=1 --annotation k=v --storage-opt size=1G demo
--network app --network-alias w --ip 10.0.0.2 --link z:zz demo
--network name=app,alias=x,driver-opt=a=b,gw-priority=5 --network other demo
--network host --pid host --ipc host --uts host --userns host --cgroupns private demo
--entrypoint /bin/x -h hh --domainname dd -u 1:2 -w /w --group-add 5 --label a=b --label c demo a b
--entrypoint= demo
-a stdin -a STDOUT -i --log-driver json-file --log-opt max-size=1m --platform linux/arm64 --name n demo
-p99999:1 demo
-p 80:80/foo demo
--mount type=volume demo
--restart always --rm demo
--ulimit foo=1 demo
--sysctl a.b=1 demo
--network app --network host demo
--name
-itfoo demo
--unknown demo
--rm=maybe demo
-e =a demo
`
  .trim()
  .split('\n')

/** Other lines, whose requests, output and exit codes must agree. */
const others = `
ps -n 3
ps -l
ps -a --filter status=exited
ps --format {{.Names}}:{{.Ports}}
images -q
images --digests
history web
volume ls
network ls
port web
port web 80/tcp
diff web
top web
stop -t 5 -s HUP web
restart -t 3 web
kill -s USR1 web
rename web other
rm -f -v web
update -m 64m --cpus 2 --restart always web
commit -a me -m msg web repo:tag
tag demo localhost:5000/a/b:c
rmi -f --no-prune demo
logs -f --tail 5 -t --since 10 web
pull demo
pull demo@sha256:a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90
volume create --driver local -o type=tmpfs --label a=b data
volume rm -f data
network inspect nope
container prune -f --filter until=1h
inspect -f {{foo}} web
inspect -f {{.Foo}} web
inspect -f {{.Name}} web
info -f {{.ServerVersion}}
`
  .trim()
  .split('\n')

describe('docker and berth', { skip: hasDocker ? false : 'docker is not installed' }, () => {
  let directory = ''
  let requests: string[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const path = (request.url ?? '').replace(/^\/v[\d.]+/, '')
      if (path !== '/_ping') requests.push(`${request.method} ${normalPath(path)} ${normalBody(body)}`.trim())
      const answer = goldenAnswers[path.replace(/\?.*$/, '')]
      response.setHeader('Api-Version', '1.50')
      response.setHeader('Ostype', 'linux')
      response.setHeader('Content-Type', 'application/json')
      response.statusCode = answer === undefined && path !== '/_ping' ? 404 : 200
      response.end(
        request.method === 'HEAD' ? undefined : JSON.stringify(answer ?? { message: 'page not found' }),
      )
    })
  })

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-parity-'))
    writeFileSync(join(directory, 'config.json'), '{}')
    server.listen(join(directory, 's'))
    await once(server, 'listening')
  })
  after(() => {
    server.closeAllConnections()
    server.close()
    rmSync(directory, { recursive: true })
  })

  async function docker(args: readonly string[]): Promise<Run> {
    requests = []
    const child = spawn('docker', args, {
      env: { ...process.env, ...env() },
      cwd: '/tmp',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    return { code: code as number | null, stdout, stderr: firstLine(stderr), requests }
  }

  async function berth(args: readonly string[]): Promise<Run> {
    requests = []
    const { code, stdout, stderr } = await runCli(args, { env: env(), cwd: '/tmp', now: Date.now() })
    return { code, stdout, stderr: firstLine(stderr), requests }
  }

  function env(): Record<string, string> {
    return { DOCKER_HOST: `unix://${directory}/s`, DOCKER_CONFIG: directory, HOME: '/root', TZ: 'UTC' }
  }

  for (const line of [...creates.map((each) => `create ${each}`), ...others]) {
    it(`agree on ${line}`, async () => {
      const theirs = await docker(line.split(' '))
      const ours = await berth(line.split(' '))
      // Some words of ours go on to say what to do.
      if (ours.stderr.startsWith(theirs.stderr)) Object.assign(ours, { stderr: theirs.stderr })
      // On an error in a template, docker ends the output with an empty line.
      if (theirs.code !== 0 && theirs.stdout.trim() === '') Object.assign(ours, { stdout: theirs.stdout })
      if (unordered.includes(line)) assert.deepEqual(sorted(ours), sorted(theirs))
      else assert.deepEqual(ours, theirs)
    })
  }
})

/** docker prints the digests of an image in another order every time. */
const unordered = ['images --digests']

function sorted(result: Run): Run {
  return { ...result, stdout: result.stdout.split('\n').toSorted().join('\n') }
}

function firstLine(stderr: string): string {
  return (
    stderr
      .replaceAll('docker', 'berth')
      .replace(/^berth: /, '')
      .split('\n')[0] ?? ''
  )
}

function normalPath(path: string): string {
  const url = new URL(`http://x${path}`)
  const said = [...url.searchParams].filter(([, value]) => !['', '0', 'false'].includes(value))
  const query = said.map(([key, value]) => `${key}=${value}`).sort()
  return `${url.pathname}${query.length === 0 ? '' : `?${query.join('&')}`}`
}

function normalBody(body: string): string {
  if (!body.startsWith('{')) return body
  const said = significant(JSON.parse(body)) as { HostConfig?: Record<string, unknown> } | undefined
  // Docker says these although they are the defaults.
  if (said?.HostConfig?.['MemorySwappiness'] === -1) delete said.HostConfig['MemorySwappiness']
  if (JSON.stringify(said?.HostConfig?.['RestartPolicy']) === '{"Name":"no"}')
    delete said?.HostConfig?.['RestartPolicy']
  return said === undefined ? '' : JSON.stringify(said)
}

/** Without zeros, empty texts and what consists of them; keys and lists of texts in alphabetical order. */
function significant(value: unknown, key = ''): unknown {
  if (value === null || value === '' || value === 0 || value === false) return undefined
  if (Array.isArray(value)) {
    // Empty lists of paths say "none", where nothing says "the usual ones".
    if (value.length === 0 && /^(Masked|Readonly)Paths$/.test(key)) return value
    const items = value.map((item) => significant(item))
    if (items.every((item) => item === undefined))
      return key === 'Entrypoint' && value.length > 0 ? value : undefined
    return ['Binds', 'Env'].includes(key) ? items.toSorted((a, b) => (String(a) < String(b) ? -1 : 1)) : items
  }
  if (typeof value !== 'object') return value
  const entries = Object.entries(value)
    .map(([name, item]) => [name, significant(item, name)] as const)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const isSet = ['ExposedPorts', 'Volumes'].includes(key)
  const names = Object.keys(value).sort()
  if (isSet) return names.length === 0 ? undefined : names
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

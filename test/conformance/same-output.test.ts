/** What people read and scripts parse is the same, column for column, from Docker's command line and from berth's. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { NODE, REPOSITORY } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"

/** Command lines as a shell reads them. */
const lines: readonly string[] = [
  'ps',
  'ps -a',
  'ps -aq',
  'ps -a --no-trunc',
  'ps -as',
  'ps -l',
  'ps -n 2',
  'ps -a --format "table {{.ID}}\\t{{.Names}}\\t{{.Ports}}\\t{{.Mounts}}\\t{{.Networks}}\\t{{.Labels}}"',
  'ps -a --format "table {{.Names}}\\t{{.Label \\"tier\\"}}\\t{{.LocalVolumes}}\\t{{.State}}\\t{{.Size}}\\t{{.Platform}}"',
  'ps -a --filter status=exited --format "{{.Names}} {{.Command}}"',
  'ps --filter label=tier=front -q',
  'ps -f bogus=1',
  'ps -f novalue',
  'ps --format "{{.Nope}}"',
  'ps --format "{{"',
  'ps extra',
  'ps --bogus',
  'images',
  'images -q --no-trunc',
  'images busybox --format "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}} {{.CreatedAt}}"',
  'images nope',
  'network ls',
  'network ls --no-trunc',
  'network ls --format json',
  'network ls -f driver=bridge -q',
  'network ls --format "table {{.Name}}\\t{{.IPv4}}\\t{{.IPv6}}\\t{{.Internal}}\\t{{.Labels}}"',
  'network inspect nope',
  'volume ls',
  'volume ls -q',
  'volume ls --format json',
  'volume ls --format "table {{.Name}}\\t{{.Labels}}\\t{{.Mountpoint}}\\t{{.Scope}}\\t{{.Size}}"',
  'volume inspect nope',
  'history busybox',
  'history --no-trunc busybox',
  'history --human=false -q busybox',
  'history nope',
  'port web',
  'port web 80',
  'port web 99',
  'top web -o pid,args',
  'top gone',
  'diff gone',
  'logs gone',
  'logs nope',
  'inspect web',
  'inspect busybox',
  'inspect nope',
  'inspect web nope',
  'inspect --type image web',
  'inspect --type nope web',
  'inspect -f "{{.State.Status}} {{.HostConfig.RestartPolicy}} {{.HostConfig.PortBindings}}" web gone',
  'inspect -f "{{.Mounts}} {{.Config.Cmd}} {{.Config.Env}} {{.Config.ExposedPorts}} {{.Config.Volumes}}" web',
  'inspect -f "{{.NetworkSettings.Ports}} {{json .Config.Labels}} {{.State.Health}}" web',
  'inspect -f "{{.HostConfig.Binds}} {{.HostConfig.CapAdd}} {{.HostConfig.PidsLimit}} {{.HostConfig.LogConfig.Type}}" web',
  'inspect -f "{{.Nope}}" web',
  'inspect -f "{{.ID}} {{.Config.StopSignal}}|{{.Config.NetworkDisabled}}{{range .Mounts}}<{{.Name}}>{{end}}" web',
  'inspect -f "{{.NetworkSettings.Networks.nope.IPAddress}}" web',
  'image inspect -f "{{.ID}} {{.Config.StopSignal}}" busybox',
  'inspect ""',
  'network inspect ""',
  'volume inspect ""',
  'container inspect ""',
  'inspect -f "{{" web',
  'image inspect -f "{{.RepoTags}} {{.Size}} {{.Architecture}} {{.Config.Entrypoint}}" busybox',
  'system df --format "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"',
  'system df',
  'version -f "{{.Server.Version}} {{.Server.APIVersion}} {{.Server.Os}}"',
  'info -f "{{.Containers}} {{.ContainersRunning}} {{.OSType}} {{.Driver}}"',
  'events --since 1h --until 0s -f container=gone --format "{{.Type}} {{.Action}} {{json .Actor.Attributes}}"',
  'events --since 1h --until 0s -f container=gone --format json',
  'events --since 1h --until 0s -f container=gone --format "{{.Nope}}"',
  'ps -a --format raw',
  'images --format raw',
  'network ls --format raw',
  'volume ls --format raw',
  'version -f "{{.Server.Experimental}}"',
  'wait gone',
  'wait gone nope',
  'rm nope',
  'rmi nope',
  'stop nope',
  'kill gone',
  'pause gone',
  'unpause web',
  'tag nope a:b',
  `tag busybox a@sha256:${'0'.repeat(64)}`,
  'kill ""',
  'volume rm ""',
  'exec gone true',
  'exec nope true',
  'exec web sh -c "echo hi; exit 7"',
  'exec web nope',
  'exec -w /nope web pwd',
  'run --rm busybox nope',
  'run --rm busybox /etc',
  'run --rm busybox sh -c "echo out; exit 9"',
  'run --rm --name web busybox true',
  'run --rm -p abc busybox true',
  'run --rm --network nope busybox true',
  'run --rm --restart always busybox true',
  'run --rm --bogus busybox',
  'run --rm -d -a stdout busybox true',
  'run --rm -p published=19090,target=80 busybox true',
  'run --rm -p target busybox true',
  'create --name gone busybox',
  'update --memory 1g nope',
  'export nope',
  'commit nope',
  'network create front',
  'network rm nope 2>/dev/null',
  'network connect nope web',
  'network disconnect bridge web',
  'volume rm data',
  'volume rm nope',
  'attach gone',
  'container prune --filter bogus=1 -f',
  'context ls --format "{{.Name}} {{.Current}}"',
  'context inspect nope',
]

describe('docker and berth print the same', { skip: absent }, () => {
  let api: EngineApi
  const berth = `${NODE} -- ${join(REPOSITORY, 'src/bin/berth.ts')}`

  before(async () => {
    api = await EngineApi.start()
    const made = [
      'network create front --label a=b',
      'volume create data --label x=y',
      `run -d --name web --label tier=front --label z=1 -p 127.0.0.1:8080:80 -p 8443-8445:443-445 -v data:/data -v /tmp:/host --network front --restart on-failure:3 --cap-add NET_ADMIN busybox sleep 10000`,
      `run --name gone busybox sh -c 'echo out; echo err >&2; touch /new; exit 3' || true`,
      'create --name made -p 80 --expose 90 busybox sleep 1',
    ]
    for (const line of made) assert.equal(said('docker', line).code, 0, line)
  })
  after(() => api[Symbol.asyncDispose]())

  function said(program: string, line: string): { code: number | null; out: string; err: string } {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', `${program} ${line}`], {
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'],
        HOME: '/nonexistent',
        DOCKER_HOST: api.daemon.host,
        // The documents of newer versions are others.
        DOCKER_API_VERSION: '1.50',
      },
    })
    return { code: status, out: masked(stdout), err: masked(stderr.replaceAll('docker', 'berth')) }
  }

  for (const line of lines) {
    it(line, () => assert.deepEqual(said(berth, line), said('docker', line)))
  }
})

/** Without how long ago something was, which another second changes, and with it the width of its column. */
function masked(text: string): string {
  const timeless = text.replaceAll(
    /(Less than a second|About a minute|\d+ (seconds?|minutes?))( ago)?/g,
    '#$3',
  )
  return timeless === text ? text : timeless.replaceAll(/ {2,}/g, '  ')
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import type { ContainerInspectResponse, ImageInspect, SystemInfo } from '#api/generated/types.ts'
import type { ContainerCreateBody } from '#client/containers.ts'
import { createBody } from '../create/body.ts'
import { createFlags } from '../create/flags.ts'
import { bool, parseFlags } from '../flags.ts'
import { composeFile } from './compose-file.ts'
import { recipeOf, type Recipe } from './recipe.ts'
import { quote, runArguments } from './run-arguments.ts'

const info: SystemInfo = { CgroupVersion: '2', DefaultRuntime: 'crun', LoggingDriver: 'json-file' }
const image: ImageInspect = {
  Config: {
    Env: ['PATH=/bin'],
    Cmd: ['serve'],
    Entrypoint: ['app'],
    WorkingDir: '/srv',
    Labels: { made: 'by' },
  },
}
const ID = 'a1'.repeat(32)

function bodyOf(words: readonly string[]): ContainerCreateBody {
  const specs = { ...createFlags, detach: bool('', { short: 'd' }) }
  const { flags, args, changed } = parseFlags(specs, words, { interspersed: false })
  return createBody(flags, args, { cwd: '/', env: {}, changed })
}

/** How a container of this body looks when it is inspected. */
function inspected(body: ContainerCreateBody, name = 'web'): ContainerInspectResponse {
  const { HostConfig, NetworkingConfig, ...Config } = body
  const mode = HostConfig?.NetworkMode ?? 'default'
  const joined = ['default', 'bridge', 'host', 'none'].includes(mode) ? {} : { [mode]: {} }
  return {
    Id: ID,
    Name: `/${name}`,
    Config: { Hostname: ID.slice(0, 12), ...Config },
    HostConfig: { ...HostConfig, NetworkMode: mode === 'default' ? 'bridge' : mode },
    NetworkSettings: { Networks: { ...joined, ...NetworkingConfig?.EndpointsConfig } },
  }
}

function recipe(words: readonly string[], from?: ImageInspect): Recipe {
  return recipeOf(inspected(bodyOf(words)), from, info)
}

/** Flags that may stand beside each other in any choice. */
const choices: readonly (readonly string[])[] = [
  ['--restart=on-failure:3'],
  ['--init'],
  ['-i'],
  ['-t'],
  ['--hostname=box'],
  ['--user=1:2'],
  ['--workdir=/w'],
  ['-e', 'A=1', '-e', 'B=$x y'],
  ['--label=a=b', '--label=c='],
  ['--stop-signal=INT', '--stop-timeout=3'],
  ['--log-opt=max-size=1m'],
  ['--log-driver=local'],
  ['--health-cmd=exit 0', '--health-interval=1m30s', '--health-retries=2'],
  ['--network=net', '--network-alias=x', '--ip=10.0.0.2'],
  ['-p', '80', '-p', '127.0.0.1:8080:81', '-p', '[::1]:53:53/udp'],
  ['--expose=90'],
  ['--dns=1.1.1.1', '--dns-search=a.b', '--add-host=db:1.2.3.4'],
  ['-v', 'data:/data', '-v', '/etc:/host:ro', '-v', '/anonymous'],
  [
    '--mount',
    'type=tmpfs,dst=/t,tmpfs-size=1000',
    '--mount',
    'type=volume,src=v,dst=/v,volume-nocopy,volume-opt=a=b',
  ],
  ['--mount', '"type=bind","src=/a,b","dst=/c",readonly,bind-propagation=rslave'],
  ['--tmpfs=/q', '--tmpfs=/r:size=1m'],
  ['--shm-size=128m'],
  ['--memory=512m', '--memory-swap=-1', '--memory-reservation=1000'],
  ['--cpus=1.5'],
  ['--cpu-shares=10', '--cpuset-cpus=0-1'],
  ['--pids-limit=50'],
  ['--ulimit=nofile=10:20', '--ulimit=core=0'],
  ['--privileged'],
  ['--read-only'],
  ['--cap-add=NET_ADMIN', '--cap-drop=ALL'],
  ['--security-opt=no-new-privileges', '--security-opt=systempaths=unconfined'],
  ['--sysctl=net.a=1'],
  ['--device=/dev/null:/dev/x:rw'],
  ['--device-write-bps=/dev/sda:1mb', '--blkio-weight=100'],
  ['--gpus=all'],
  ['--group-add=5'],
  ['--pid=host', '--uts=host'],
  ['--ipc=host'],
  ['--cgroupns=host'],
  ['--annotation=k=v'],
  ['--runtime=runc'],
]

describe('inspect --as run', () => {
  it('makes a line that asks for the same', () => {
    const command = fc.constantFrom([], ['sh', '-c', "echo 'a b' $HOME; exit"], ['--', '-x'])
    fc.assert(
      fc.property(fc.subarray([...choices]), command, (chosen, rest) => {
        const wanted = ['-d', '--name=web', ...chosen.flat(), 'demo', ...rest]
        const [run, ...again] = runArguments(recipe(wanted))
        assert.equal(run, 'run')
        assert.deepEqual(bodyOf(again), bodyOf(wanted))
      }),
      { numRuns: 300 },
    )
  })

  it('has probes of the engine itself', () => {
    for (const flag of ['--health-http=8080/ready', '--health-tcp=5432']) {
      const line = ['-d', '--name=web', flag, '--health-on-failure=restart', 'demo']
      const [, ...again] = runArguments(recipe(line))
      assert.deepEqual(bodyOf(again), bodyOf(line))
    }
  })

  it('leaves out what the image says anyway', () => {
    const container = inspected({
      Image: 'demo',
      Env: ['PATH=/bin', 'A=1'],
      Cmd: ['serve'],
      Entrypoint: ['app'],
      WorkingDir: '/srv',
      Labels: { made: 'by', 'com.docker.compose.project': 'x' },
    })
    assert.deepEqual(runArguments(recipeOf(container, image, info)), [
      'run',
      '-d',
      '--name=web',
      '--env=A=1',
      'demo',
    ])
  })

  it('says entrypoints of several words with the command', () => {
    const container = inspected({ Image: 'demo', Entrypoint: ['a', 'b'], Cmd: ['c'] })
    assert.deepEqual(runArguments(recipeOf(container, image, info)).slice(-4), [
      '--entrypoint=a',
      'demo',
      'b',
      'c',
    ])
  })

  it('names the networks of whoever is on these alone', () => {
    const Networks = { app: { Aliases: ['www'] }, back: {} }
    const alone = { ...inspected({ Image: 'demo' }), NetworkSettings: { Networks } }
    const names = (of: ContainerInspectResponse) =>
      recipeOf(of, undefined, info).networks.map(({ name }) => name)
    assert.deepEqual(names(alone), ['app', 'back'])
    assert.deepEqual(names({ ...alone, NetworkSettings: { Networks: { bridge: {} } } }), [])
  })

  it('is quoted for a shell', () => {
    assert.deepEqual(['a=b', 'a b', "it's", '', '$x'].map(quote), [
      'a=b',
      "'a b'",
      `'it'\\''s'`,
      "''",
      "'$x'",
    ])
  })
})

describe('inspect --as compose', () => {
  it('makes a file of services, with networks and volumes that are there already', () => {
    const line = [
      '-d',
      '--network=net',
      '-v',
      'data:/data',
      '-p',
      '22:22',
      '-e',
      'A=$x',
      '--restart=no',
      'demo',
      'yes',
      '$y',
    ]
    const text = composeFile([recipe(line)])
    assert.deepEqual(parse(text, { version: '1.1' }), {
      services: {
        web: {
          image: 'demo',
          container_name: 'web',
          command: ['yes', '$$y'],
          environment: ['A=$$x'],
          networks: { net: null },
          ports: ['22:22'],
          volumes: ['data:/data'],
        },
      },
      networks: { net: { external: true } },
      volumes: { data: { external: true } },
    })
  })

  it('has limits, health and places where Compose has them', () => {
    const line = [...choices.flat().filter((word) => !word.includes('--log-driver')), 'demo']
    const { services } = parse(composeFile([recipe(line)]), { version: '1.1' }) as {
      services: { web: Record<string, unknown> }
    }
    const { web } = services
    assert.deepEqual(web['healthcheck'], { test: ['CMD-SHELL', 'exit 0'], interval: '1m30s', retries: 2 })
    assert.deepEqual(web['ulimits'], { core: { soft: 0, hard: 0 }, nofile: { soft: 10, hard: 20 } })
    assert.deepEqual(web['networks'], { net: { aliases: ['x'], ipv4_address: '10.0.0.2' } })
    assert.deepEqual([web['cpus'], web['mem_limit'], web['cap_drop']], [1.5, 512 << 20, ['ALL']])
  })
})

/** States of a container, and what every operation answers in each. */
import {
  FOREVER,
  type Scenario,
  type Step,
  call,
  created,
  events,
  inspect,
  running,
  scenario,
} from '../scenario.ts'

const stopped: readonly Step[] = [
  created({ Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 3'] }),
  call('POST /containers/{box}/start', undefined, { expect: 204 }),
  call('POST /containers/{box}/wait', undefined, { expect: 200 }),
]

const states: Readonly<Record<string, readonly Step[]>> = {
  created: [created()],
  running: running(),
  paused: [...running(), call('POST /containers/{box}/pause')],
  exited: stopped,
  'waiting for a restart': [
    created({ Cmd: ['false'], HostConfig: { RestartPolicy: { Name: 'always' } } }),
    call('POST /containers/{box}/start'),
    // The third pause is long enough to look at it.
    call('GET /containers/{box}/json', undefined, {
      until: ['RestartCount', 4],
      besides: ['*'],
    }),
    call('GET /containers/{box}/json', undefined, { until: ['State.Status', 'restarting'], besides: ['*'] }),
  ],
  absent: [],
}

const operations: Readonly<Record<string, Step>> = {
  start: call('POST /containers/{box}/start'),
  stop: call('POST /containers/{box}/stop?t=5'),
  restart: call('POST /containers/{box}/restart?t=5'),
  kill: call('POST /containers/{box}/kill?signal=TERM'),
  pause: call('POST /containers/{box}/pause'),
  unpause: call('POST /containers/{box}/unpause'),
  rename: call('POST /containers/{box}/rename?name=renamed'),
  update: call('POST /containers/{box}/update', { CpuShares: 512 }),
  resize: call('POST /containers/{box}/resize?h=10&w=20'),
  top: call('GET /containers/{box}/top?ps_args=-o%20pid,comm', undefined, { besides: ['body.Processes*'] }),
  exec: call('POST /containers/{box}/exec', { Cmd: ['true'] }, { besides: ['body.Id'] }),
  logs: call('GET /containers/{box}/logs?stdout=1&stderr=1'),
  attach: call('POST /containers/{box}/attach?logs=1&stdout=1&stderr=1'),
  wait: call('POST /containers/{box}/wait?condition=not-running', undefined, { open: 'wait' }),
  changes: call('GET /containers/{box}/changes'),
  remove: call('DELETE /containers/{box}'),
  'remove by force': call('DELETE /containers/{box}?force=1'),
}

const everyState = Object.entries(states).flatMap(([state, steps]) =>
  Object.entries(operations).map(([name, operation]) => {
    // What is started there ends at once.
    const racing = state === 'paused' && name === 'kill'
    const brief = racing || state === 'waiting for a restart' || name === 'start' || name === 'restart'
    const after = brief ? [] : [inspect()]
    return scenario(`states/${name} of a container that is ${state}`, ...steps, operation, ...after)
  }),
)

const lives: readonly Scenario[] = [
  scenario(
    'life/from beginning to end',
    ...running(),
    inspect(),
    call('GET /containers/json'),
    call('POST /containers/{box}/stop'),
    inspect(),
    call('DELETE /containers/{box}'),
    events(),
  ),
  scenario(
    'life/removed at its end',
    created({ HostConfig: { AutoRemove: true } }),
    call('POST /containers/{box}/wait?condition=removed', undefined, { open: 'wait' }),
    call('POST /containers/{box}/start'),
    { read: 'wait' },
    inspect(),
    events(),
  ),
  scenario(
    'life/restarted by its policy until it gives up',
    created({ Cmd: ['false'], HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } } }),
    call('POST /containers/{box}/start'),
    call('GET /containers/{box}/json', undefined, { until: ['State.Status', 'exited'], besides: ['*'] }),
    inspect(),
    events(),
  ),
  scenario('life/ends with a signal', ...running(), call('POST /containers/{box}/kill'), inspect(), events()),
  scenario(
    'life/killed with a signal that it does not hear',
    ...running(),
    ...['HUP', 'SIGHUP', '1', '0', 'nope', '-1', '99', '', 'SIGRTMIN+3'].map((signal) =>
      call(`POST /containers/{box}/kill?signal=${encodeURIComponent(signal)}`),
    ),
  ),
  scenario(
    'life/stopped with a signal of the request',
    created({ Cmd: ['sh', '-c', 'trap "exit 7" USR1; echo ready; while :; do sleep 0.05; done'] }),
    call('POST /containers/{box}/start'),
    call('GET /containers/{box}/logs?stdout=1&follow=1', undefined, { open: 'logs' }),
    { read: 'logs', text: 'ready' },
    call('POST /containers/{box}/stop?signal=USR1'),
    inspect(),
    events(),
  ),
  scenario(
    'life/stopped with its own signal',
    created({
      StopSignal: 'SIGUSR1',
      Cmd: ['sh', '-c', 'trap "exit 7" USR1; echo ready; while :; do sleep 0.05; done'],
    }),
    call('POST /containers/{box}/start'),
    call('GET /containers/{box}/logs?stdout=1&follow=1', undefined, { open: 'logs' }),
    { read: 'logs', text: 'ready' },
    call('POST /containers/{box}/stop'),
    inspect(),
  ),
  scenario(
    'life/killed when it ignores the signal',
    created({ Cmd: ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done'] }),
    call('POST /containers/{box}/start'),
    call('GET /containers/{box}/logs?stdout=1&follow=1', undefined, { open: 'logs' }),
    { read: 'logs', text: 'ready' },
    call('POST /containers/{box}/stop?t=1'),
    inspect(),
    events(),
  ),
  scenario(
    'life/bad parameters',
    ...running(),
    call('POST /containers/{box}/stop?t=x'),
    call('POST /containers/{box}/stop?signal=nope'),
    call('POST /containers/{box}/restart?t=x'),
    call('POST /containers/{box}/restart?signal=nope'),
    call('POST /containers/{box}/start?detachKeys=nope-'),
    call('POST /containers/{box}/start', { Binds: ['/a:/b'] }),
    call('POST /containers/{box}/resize'),
    call('POST /containers/{box}/resize?h=x&w=1'),
    call('POST /containers/{box}/resize?h=10&w=20'),
    call('POST /containers/{box}/resize?h=-1&w=20'),
    call('POST /containers/{box}/resize?h=4294967296&w=20'),
    call('POST /containers/{box}/wait?condition=nope'),
  ),
  ...Object.entries({
    'a program that is not there': ['/no/such'],
    'a program that is not in the PATH': ['nosuch'],
    'a directory': ['/etc'],
    'a file that cannot be executed': ['/etc/passwd'],
  }).map(([what, Cmd]) =>
    scenario(
      `life/start of ${what}`,
      created({ Cmd }),
      call('POST /containers/{box}/start'),
      inspect(),
      call('GET /containers/json?all=1'),
      call('POST /containers/{box}/wait'),
      events(),
    ),
  ),
  ...Object.entries({
    'a user that is not there': { User: 'nobody-knows' },
    'a group that is not there': { User: 'root:nobody-knows' },
    'a device that is not there': { HostConfig: { Devices: [{ PathOnHost: '/dev/nope' }] } },
    'a sysctl that is not there': { HostConfig: { Sysctls: { 'net.nope': '1' } } },
    'a mount on a file': { HostConfig: { Binds: ['/tmp:/etc/passwd'] } },
    'a group to add that is not there': { HostConfig: { GroupAdd: ['nope'] } },
    'a subpath that is not there': {
      HostConfig: {
        Mounts: [{ Type: 'volume', Source: 'vol', Target: '/a', VolumeOptions: { Subpath: 'nope' } }],
      },
    },
  }).map(([what, body]) =>
    scenario(`life/start with ${what}`, created(body), call('POST /containers/{box}/start'), inspect()),
  ),
  scenario(
    'life/start with a port that is taken',
    ...running({
      ExposedPorts: { '80/tcp': {} },
      HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
    }),
    created(
      { ExposedPorts: { '80/tcp': {} }, HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } },
      'other',
    ),
    call('POST /containers/{other}/start'),
    inspect('other'),
  ),
  scenario(
    'life/a failed start of a container that is removed at its end',
    created({ Cmd: ['/no/such'], HostConfig: { AutoRemove: true } }),
    call('POST /containers/{box}/start'),
    inspect(),
  ),
  scenario(
    'life/started again',
    ...stopped,
    call('POST /containers/{box}/start'),
    call('POST /containers/{box}/wait'),
    call('GET /containers/{box}/logs?stdout=1&stderr=1'),
    inspect(),
    events(),
  ),
  scenario('life/restart', ...running(), call('POST /containers/{box}/restart'), inspect(), events()),
  scenario(
    'life/pause and resume',
    ...running(),
    call('POST /containers/{box}/pause'),
    inspect(),
    call('GET /containers/json'),
    call('POST /containers/{box}/unpause'),
    inspect(),
    events(),
  ),
  scenario(
    'life/out of memory',
    created({
      Cmd: ['sh', '-c', 'x=a; while :; do x=$x$x; done'],
      HostConfig: { Memory: 8 << 20, MemorySwap: 8 << 20 },
    }),
    call('POST /containers/{box}/start'),
    call('POST /containers/{box}/wait'),
    inspect(),
    events(),
  ),
]

const waits: readonly Scenario[] = [
  ...['', 'not-running', 'next-exit', 'removed'].map((condition) =>
    scenario(
      `wait/${condition || 'no condition'} before the start`,
      created({ Cmd: ['sh', '-c', 'exit 5'] }),
      call(`POST /containers/{box}/wait?condition=${condition}`, undefined, { open: 'wait' }),
      call('POST /containers/{box}/start'),
      ...(condition === 'removed'
        ? [call('POST /containers/{box}/wait'), call('DELETE /containers/{box}')]
        : [call('POST /containers/{box}/wait', undefined, { until: ['StatusCode', 5] })]),
      { read: 'wait' },
    ),
  ),
  scenario(
    'wait/until it is removed by force',
    ...running(),
    call('POST /containers/{box}/wait?condition=removed', undefined, { open: 'wait' }),
    call('POST /containers/{box}/wait?condition=next-exit', undefined, { open: 'next' }),
    call('DELETE /containers/{box}?force=1'),
    { read: 'wait' },
    { read: 'next' },
  ),
  scenario(
    'wait/next exit of a container that is removed before it starts',
    created(),
    call('POST /containers/{box}/wait?condition=next-exit', undefined, { open: 'next' }),
    call('DELETE /containers/{box}'),
    { read: 'next' },
  ),
]

const others: readonly Scenario[] = [
  scenario(
    'rename/names',
    created(),
    created({}, 'taken'),
    ...['box', 'taken', '', '/slash', '-bad', 'a', 'fine_1'].map((name) =>
      call(`POST /containers/{box}/rename?name=${encodeURIComponent(name)}`),
    ),
    inspect(),
    call('GET /containers/json?all=1'),
    events(),
  ),
  scenario(
    'update/limits of a container that runs',
    ...running({ HostConfig: { Memory: 64 << 20 } }),
    call('POST /containers/{box}/update', {
      Memory: 128 << 20,
      MemorySwap: 256 << 20,
      CpuShares: 512,
      PidsLimit: 50,
    }),
    call('POST /containers/{box}/update', { NanoCpus: 500_000_000 }),
    call('POST /containers/{box}/update', { CpuQuota: 50_000 }),
    call('POST /containers/{box}/update', { CpusetCpus: '0', BlkioWeight: 300 }),
    call('POST /containers/{box}/update', { RestartPolicy: { Name: 'always' } }),
    inspect(),
    events(),
  ),
  scenario(
    'update/mistakes',
    ...running({ HostConfig: { Memory: 64 << 20 } }),
    call('POST /containers/{box}/update', { Memory: 1 }),
    call('POST /containers/{box}/update', { MemorySwap: 1 << 20 }),
    call('POST /containers/{box}/update', { Memory: 512 << 20 }),
    call('POST /containers/{box}/update', { CpusetCpus: '99' }),
    call('POST /containers/{box}/update', { RestartPolicy: { Name: 'nope' } }),
    call('POST /containers/{box}/update', { KernelMemory: 64 << 20 }),
    call('POST /containers/{box}/update', { Memory: 'x' }),
    call('POST /containers/{box}/update'),
    call('POST /containers/{box}/update', {}),
    call('POST /containers/nope/update', {}),
    inspect(),
  ),
  scenario(
    'update/restart policy of a container that is removed at its end',
    created({ HostConfig: { AutoRemove: true } }),
    call('POST /containers/{box}/update', { RestartPolicy: { Name: 'always' } }),
  ),
  ...['', '-ef', 'aux', '-o pid,args', '-o comm', '-eo user,pid,ppid,stat,comm', 'nope', '--nope'].map(
    (args) =>
      scenario(
        `top/with ${args || 'no arguments'}`,
        created({ Cmd: ['sleep', '1000'] }),
        call('POST /containers/{box}/start'),
        call(
          `GET /containers/{box}/top${args === '' ? '' : `?ps_args=${encodeURIComponent(args)}`}`,
          undefined,
          {
            besides: ['body.Processes*'],
          },
        ),
        events({ event: ['top'] }),
      ),
  ),
  scenario(
    'remove/with its volumes',
    created({ Volumes: { '/anonymous': {} }, HostConfig: { Binds: ['named:/b'] } }),
    call('DELETE /containers/{box}?v=1'),
    call('GET /volumes'),
    events(),
  ),
  scenario(
    'remove/without its volumes',
    created({ Volumes: { '/anonymous': {} } }),
    call('DELETE /containers/{box}'),
    call('GET /volumes'),
  ),
  scenario(
    'remove/links that are not there',
    created(),
    call('DELETE /containers/{box}?link=1'),
    call('DELETE /containers/box%2Fother?link=1'),
    call('DELETE /containers/nope'),
    call('DELETE /containers/nope?force=1'),
  ),
  scenario(
    'names/ways to say which container',
    created(),
    created({}, 'box2'),
    call('GET /containers/box/json', undefined, { besides: ['body.*'] }),
    call('GET /containers/%2Fbox/json', undefined, { besides: ['body.*'] }),
    call('GET /containers/{box}/json', undefined, { besides: ['body.*'] }),
    call('GET /containers/bo/json'),
    call('GET /containers/nope/json'),
    call('GET /containers/%20/json'),
  ),
  scenario(
    'inspect/with sizes',
    ...stopped,
    call('GET /containers/{box}/json?size=1', undefined, { besides: ['body.Size*'] }),
    call('GET /containers/json?all=1&size=1', undefined, { besides: ['body*.Size*'] }),
  ),
  scenario(
    'inspect/a health check that has been run',
    created({ Cmd: FOREVER, Healthcheck: { Test: ['CMD-SHELL', 'echo fine'], Interval: 200e6 } }),
    call('POST /containers/{box}/start'),
    call('GET /containers/{box}/json', undefined, {
      until: ['State.Health.Status', 'healthy'],
      besides: ['*'],
    }),
    call('GET /containers/{box}/json', undefined, { besides: ['body.State.Health.Log[[1234]]*'] }),
    call('GET /containers/json'),
    events({ event: ['health_status'] }),
  ),
  scenario(
    'inspect/a health check that fails',
    created({ Cmd: FOREVER, Healthcheck: { Test: ['CMD-SHELL', 'exit 1'], Interval: 100e6, Retries: 2 } }),
    call('POST /containers/{box}/start'),
    call('GET /containers/{box}/json', undefined, {
      until: ['State.Health.Status', 'unhealthy'],
      besides: ['*'],
    }),
    call('GET /containers/json'),
    events({ event: ['health_status'] }),
  ),
]

export const lifeScenarios: readonly Scenario[] = [...lives, ...waits, ...others, ...everyState]

/** Logs, attach, exec, stats: what flows. */
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

const said: readonly Step[] = [
  created({
    Cmd: ['sh', '-c', 'echo one; sleep 0.05; echo two >&2; sleep 0.05; echo three; printf four'],
    Labels: { a: 'b' },
  }),
  call('POST /containers/{box}/start', undefined, { expect: 204 }),
  call('POST /containers/{box}/wait', undefined, { expect: 200 }),
]

const logQueries = [
  'stdout=1',
  'stderr=1',
  'stdout=1&stderr=1',
  '',
  'stdout=0&stderr=false',
  'stdout=1&stderr=1&timestamps=1',
  'stdout=1&stderr=1&tail=1',
  'stdout=1&tail=0',
  'stdout=1&tail=all',
  'stdout=1&tail=-1',
  'stdout=1&tail=x',
  'stdout=1&tail=2&timestamps=1',
  'stdout=1&details=1',
  'stdout=1&follow=1',
  'stdout=1&since=1',
  'stdout=1&since=9999999999',
  'stdout=1&since=x',
  'stdout=1&since=-1',
  'stdout=1&until=1',
  'stdout=1&until=0',
  'stdout=1&until=x',
  'stdout=1&since=0&until={now}',
]

const CAT = {
  Cmd: ['cat'],
  OpenStdin: true,
  StdinOnce: true,
  AttachStdin: true,
  AttachStdout: true,
  AttachStderr: true,
}

const logs: readonly Scenario[] = [
  ...logQueries.map((query) =>
    scenario(`logs/with ${query || 'no parameters'}`, ...said, call(`GET /containers/{box}/logs?${query}`)),
  ),
  scenario(
    'logs/of a terminal',
    created({ Tty: true, Cmd: ['sh', '-c', 'echo one; echo two >&2'] }),
    call('POST /containers/{box}/start'),
    call('POST /containers/{box}/wait'),
    call('GET /containers/{box}/logs?stdout=1&stderr=1'),
    call('GET /containers/{box}/logs?stderr=1'),
  ),
  scenario('logs/before the first start', created(), call('GET /containers/{box}/logs?stdout=1&follow=1')),
  scenario(
    'logs/without a log',
    created({ HostConfig: { LogConfig: { Type: 'none' } } }),
    call('POST /containers/{box}/start'),
    call('POST /containers/{box}/wait'),
    call('GET /containers/{box}/logs?stdout=1'),
    inspect(),
  ),
  scenario(
    'logs/with labels and environment as details',
    created({
      Cmd: ['echo', 'one'],
      Env: ['A=1', 'B=2'],
      Labels: { a: 'b c', d: 'e' },
      HostConfig: { LogConfig: { Type: 'json-file', Config: { labels: 'a,d', env: 'A', tag: '{{.Name}}' } } },
    }),
    call('POST /containers/{box}/start'),
    call('POST /containers/{box}/wait'),
    call('GET /containers/{box}/logs?stdout=1&details=1'),
    call('GET /containers/{box}/logs?stdout=1&details=1&timestamps=1'),
  ),
  scenario('logs/of nobody', call('GET /containers/nope/logs?stdout=1'), call('GET /containers/nope/logs')),
  scenario(
    'logs/followed until it is removed',
    ...running(),
    call('GET /containers/{box}/logs?stdout=1&follow=1', undefined, { open: 'logs' }),
    call('DELETE /containers/{box}?force=1'),
    { read: 'logs' },
  ),
]

const attaches: readonly Scenario[] = [
  ...[{ upgrade: 'tcp' }, {}].map((how) =>
    scenario(
      `attach/input and output ${'upgrade' in how ? 'with' : 'without'} an upgrade`,
      created(CAT),
      call('POST /containers/{box}/attach?stream=1&stdin=1&stdout=1&stderr=1', undefined, {
        open: 'io',
        ...how,
      }),
      call('POST /containers/{box}/start'),
      ...('upgrade' in how ? [{ send: 'io', data: 'hello\n', end: true }, { read: 'io' }] : []),
      ...('upgrade' in how ? [call('POST /containers/{box}/wait'), inspect(), events()] : []),
    ),
  ),
  scenario(
    'attach/to a terminal',
    created({ ...CAT, Tty: true }),
    call('POST /containers/{box}/attach?stream=1&stdin=1&stdout=1', undefined, {
      open: 'io',
      upgrade: 'tcp',
    }),
    call('POST /containers/{box}/start'),
    { send: 'io', data: 'hello\r' },
    { read: 'io', text: 'hello\r\nhello' },
    events(),
  ),
  scenario(
    'attach/detached with keys',
    created({ ...CAT, Tty: true }),
    call('POST /containers/{box}/attach?stream=1&stdin=1&stdout=1&detachKeys=a,b', undefined, {
      open: 'io',
      upgrade: 'tcp',
    }),
    call('POST /containers/{box}/start'),
    { send: 'io', data: 'ab' },
    { read: 'io' },
    inspect(),
    events(),
  ),
  scenario(
    'attach/with the log first',
    ...running(),
    call('POST /containers/{box}/attach?logs=1&stdout=1&stderr=1', undefined, { upgrade: 'tcp' }),
    call('POST /containers/{box}/attach?logs=1&stream=1&stdout=1', undefined, { open: 'io', upgrade: 'tcp' }),
    call('POST /containers/{box}/stop'),
    { read: 'io' },
  ),
  scenario(
    'attach/mistakes',
    ...running(),
    call('POST /containers/{box}/attach', undefined, { upgrade: 'tcp' }),
    call('POST /containers/{box}/attach?stream=1&detachKeys=nope-', undefined, { upgrade: 'tcp' }),
    call('POST /containers/nope/attach?stream=1', undefined, { upgrade: 'tcp' }),
    call('POST /containers/{box}/pause'),
    call('POST /containers/{box}/attach?stream=1&stdout=1', undefined, { upgrade: 'tcp' }),
  ),
  scenario(
    'attach/to one that has ended',
    ...said,
    call('POST /containers/{box}/attach?stream=1&stdout=1&logs=1', undefined, { upgrade: 'tcp' }),
  ),
]

const execBodies: Readonly<Record<string, object>> = {
  plain: { Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 4'], AttachStdout: true, AttachStderr: true },
  'with one stream': { Cmd: ['sh', '-c', 'echo out; echo err >&2'], AttachStdout: true },
  'without streams': { Cmd: ['true'] },
  'with an environment, a user and a directory': {
    Cmd: ['sh', '-c', 'echo $A; id -un; pwd'],
    Env: ['A=1'],
    User: 'nobody',
    WorkingDir: '/tmp',
    AttachStdout: true,
  },
  privileged: { Cmd: ['grep', 'CapEff', '/proc/self/status'], Privileged: true, AttachStdout: true },
  'on a terminal': { Cmd: ['tty'], Tty: true, AttachStdout: true, ConsoleSize: [30, 100] },
  'of a program that is not there': { Cmd: ['/no/such'], AttachStdout: true, AttachStderr: true },
  'of a file that cannot be executed': { Cmd: ['/etc/passwd'], AttachStdout: true, AttachStderr: true },
  'in a directory that is not there': { Cmd: ['true'], WorkingDir: '/no/such', AttachStdout: true },
  'as a user that is not there': { Cmd: ['true'], User: 'nope', AttachStdout: true },
  'that kills itself': { Cmd: ['sh', '-c', 'kill -9 $$'], AttachStdout: true },
}

const execs: readonly Scenario[] = [
  ...Object.entries(execBodies).map(([what, body]) =>
    scenario(
      `exec/${what}`,
      ...running(),
      call('POST /containers/{box}/exec', body, { as: 'exec' }),
      call('GET /exec/{exec}/json'),
      call('POST /exec/{exec}/start', { Detach: false, Tty: 'Tty' in body }, { upgrade: 'tcp' }),
      call('GET /exec/{exec}/json', undefined, { until: ['Running', false] }),
      inspect(),
      events(),
    ),
  ),
  scenario(
    'exec/without an upgrade',
    ...running(),
    call('POST /containers/{box}/exec', execBodies['plain'], { as: 'exec' }),
    call('POST /exec/{exec}/start', {}),
  ),
  scenario(
    'exec/detached',
    ...running(),
    call('POST /containers/{box}/exec', { Cmd: ['sh', '-c', 'exit 6'] }, { as: 'exec' }),
    call('POST /exec/{exec}/start', { Detach: true }),
    call('GET /exec/{exec}/json', undefined, { until: ['Running', false] }),
    call('POST /exec/{exec}/start', { Detach: true }),
    events(),
  ),
  scenario(
    'exec/with input',
    ...running(),
    call(
      'POST /containers/{box}/exec',
      { Cmd: ['cat'], AttachStdin: true, AttachStdout: true, AttachStderr: true },
      { as: 'exec' },
    ),
    call('POST /exec/{exec}/start', {}, { open: 'io', upgrade: 'tcp' }),
    { send: 'io', data: 'hello\n', end: true },
    { read: 'io' },
    call('GET /exec/{exec}/json', undefined, { until: ['Running', false] }),
  ),
  scenario(
    'exec/detached with keys',
    ...running(),
    call(
      'POST /containers/{box}/exec',
      { Cmd: ['cat'], AttachStdin: true, AttachStdout: true, Tty: true, DetachKeys: 'a,b' },
      { as: 'exec' },
    ),
    call('POST /exec/{exec}/start', { Tty: true }, { open: 'io', upgrade: 'tcp' }),
    { send: 'io', data: 'ab' },
    { read: 'io' },
    call('GET /exec/{exec}/json'),
    call('POST /exec/{exec}/resize?h=10&w=20'),
    events(),
  ),
  scenario(
    'exec/mistakes',
    ...running(),
    call('POST /containers/{box}/exec', {}),
    call('POST /containers/{box}/exec', { Cmd: [] }),
    call('POST /containers/{box}/exec'),
    call('POST /containers/{box}/exec', { Cmd: 'a' }, { besides: ['body.Id'] }),
    call('POST /containers/{box}/exec', { Cmd: ['true'], DetachKeys: 'nope-' }),
    call('POST /containers/{box}/exec', { Cmd: ['true'], Env: ['=a'] }, { besides: ['body.Id'] }),
    call('POST /containers/nope/exec', { Cmd: ['true'] }),
    call('GET /exec/nope/json'),
    call('POST /exec/nope/start', {}),
    call('POST /exec/nope/resize?h=1&w=1'),
    call('POST /containers/{box}/exec', { Cmd: ['true'] }, { as: 'exec' }),
    call('POST /exec/{exec}/resize?h=1&w=1'),
    call('POST /exec/{exec}/resize?h=x'),
    call('POST /exec/{exec}/start', { Tty: true }),
    call('GET /exec/{exec}/json', undefined, { until: ['Running', false], besides: ['*'] }),
    call('POST /exec/{exec}/start', { Detach: true, Tty: true }),
    call('POST /exec/{exec}/start', { Tty: true }),
    call('POST /exec/{exec}/start', {}),
  ),
  scenario(
    'exec/of a container that has gone',
    ...running(),
    call('POST /containers/{box}/exec', { Cmd: ['true'] }, { as: 'exec' }),
    call('POST /containers/{box}/pause'),
    call('POST /exec/{exec}/start', {}),
    call('POST /containers/{box}/unpause'),
    call('POST /containers/{box}/stop'),
    call('POST /exec/{exec}/start', {}),
    call('GET /exec/{exec}/json'),
    call('DELETE /containers/{box}'),
    call('GET /exec/{exec}/json'),
  ),
]

/** How much was used is chance; which figures there are is not. */
const figures = [
  'body.*usage*.total_usage',
  'body.*usage_in_*',
  'body.*system_cpu_usage',
  'body.*percpu_usage*',
  'body.memory_stats.*usage',
  'body.memory_stats.stats.*',
  'body.memory_stats.limit',
  'body.pids_stats.current',
  'body.networks.*.*',
  'body.blkio_stats.*',
  'body.num_procs',
  'body.cpu_stats.throttling_data.*',
  'body.precpu_stats.throttling_data.*',
]

const stats: readonly Scenario[] = [
  scenario(
    'stats/of a container that runs',
    ...running({ HostConfig: { Memory: 64 << 20, PidsLimit: 100 } }),
    call('GET /containers/{box}/stats?stream=0', undefined, { besides: figures }),
    call('GET /containers/{box}/stats?stream=0&one-shot=1', undefined, { besides: figures }),
    call('GET /containers/{box}/stats?one-shot=1&stream=1', undefined, { besides: figures }),
    call('GET /containers/{box}/stats', undefined, { open: 'stats' }),
  ),
  scenario(
    'stats/without a network',
    ...running({ HostConfig: { NetworkMode: 'none' } }),
    call('GET /containers/{box}/stats?stream=0&one-shot=1', undefined, { besides: figures }),
  ),
  scenario('stats/of a container that does not run', ...said, call('GET /containers/{box}/stats?stream=0')),
  scenario(
    'stats/of nobody',
    call('GET /containers/nope/stats?stream=0'),
    call('GET /containers/nope/stats'),
  ),
  scenario(
    'resize/of a terminal',
    created({ Cmd: FOREVER, Tty: true }),
    call('POST /containers/{box}/start'),
    call('POST /containers/{box}/resize?h=10&w=20'),
    events({ event: ['resize'] }),
  ),
]

export const streamScenarios: readonly Scenario[] = [...logs, ...attaches, ...execs, ...stats]

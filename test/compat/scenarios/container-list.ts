/** `GET /containers/json`: every filter and parameter. */
import { FOREVER, type Scenario, type Step, call, created, scenario } from '../scenario.ts'

/** One that runs, one that has ended with 3, one that was never started; each with what filters look for. */
const some: readonly Step[] = [
  call('POST /networks/create', { Name: 'lan' }, { as: 'lan' }),
  created(
    {
      Cmd: FOREVER,
      Labels: { kind: 'a', more: 'yes' },
      ExposedPorts: { '80/tcp': {} },
      HostConfig: {
        Binds: ['data:/data'],
        PortBindings: { '80/tcp': [{ HostPort: '8080' }] },
        NetworkMode: 'lan',
      },
    },
    'web-1',
  ),
  created({ Cmd: ['sh', '-c', 'exit 3'], Labels: { kind: 'b' } }, 'done'),
  created({ Image: 'full', Entrypoint: ['/bin/sh'], Cmd: ['-c', 'true'] }, 'fresh'),
  call('POST /containers/web-1/start', undefined, { expect: 204 }),
  call('POST /containers/done/start', undefined, { expect: 204 }),
  call('POST /containers/done/wait', undefined, { expect: 200 }),
  call('GET /containers/done/json', undefined, { until: ['State.Status', 'exited'], besides: ['*'] }),
]

const filters: readonly object[] = [
  {},
  { name: ['web'] },
  { name: ['^/web-1$'] },
  { name: ['web-1'] },
  { name: ['^d'] },
  { name: ['['] },
  { status: ['running'] },
  { status: ['exited', 'created'] },
  { status: ['nope'] },
  { label: ['kind'] },
  { label: ['kind=a'] },
  { label: ['kind=a', 'more=no'] },
  { label: { 'kind=b': true } },
  { label: { 'kind=b': false } },
  { 'label!': ['kind'] },
  { ancestor: ['busybox'] },
  { ancestor: ['full:latest'] },
  { ancestor: ['nope'] },
  { before: ['done'] },
  { since: ['done'] },
  { before: ['nope'] },
  { exited: ['3'] },
  { exited: ['0'] },
  { exited: ['x'] },
  { expose: ['80'] },
  { expose: ['80/tcp'] },
  { expose: ['70-90'] },
  { expose: ['x'] },
  { publish: ['80'] },
  { publish: ['8080/tcp'] },
  { health: ['none'] },
  { health: ['starting'] },
  { health: ['nope'] },
  { 'is-task': ['true'] },
  { 'is-task': ['nope'] },
  { isolation: ['default'] },
  { network: ['lan'] },
  { network: ['nope'] },
  { volume: ['data'] },
  { volume: ['/data'] },
  { id: ['nope'] },
  { nope: ['a'] },
  { dangling: ['true'] },
]

const short = ['body*.Ports*', 'body*.NetworkSettings*', 'body*.Mounts*']

export const listScenarios: readonly Scenario[] = [
  scenario(
    'list/of three containers',
    ...some,
    call('GET /containers/json?all=1'),
    call('GET /containers/json'),
    call('GET /containers/json?limit=1'),
    call('GET /containers/json?limit=2&all=1'),
    call('GET /containers/json?limit=-1'),
    call('GET /containers/json?limit=x'),
    call('GET /containers/json?all=nope'),
    call('GET /containers/json?before=done&since=nope'),
    call('GET /containers/json?filters='),
    call('GET /containers/json?filters=nope'),
    call('GET /containers/json?filters=[]'),
    call('GET /containers/json?filters={"name":"a"}'),
    call('GET /containers/json?filters={"name":{"a":1}}'),
  ),
  scenario(
    'list/filters',
    ...some,
    ...filters.map((each) =>
      call(`GET /containers/json?all=1&filters=${encodeURIComponent(JSON.stringify(each))}`, undefined, {
        besides: short,
      }),
    ),
  ),
  scenario(
    'list/filters without all',
    ...some,
    ...filters.map((each) =>
      call(`GET /containers/json?filters=${encodeURIComponent(JSON.stringify(each))}`, undefined, {
        besides: short,
      }),
    ),
  ),
  ...[
    {},
    { label: ['kind=b'] },
    { 'label!': ['kind=b'] },
    { until: ['1h'] },
    { until: ['x'] },
    { nope: ['a'] },
  ].map((each) =>
    scenario(
      `prune/of containers with ${JSON.stringify(each)}`,
      ...some,
      call(`POST /containers/prune?filters=${encodeURIComponent(JSON.stringify(each))}`, undefined, {
        besides: ['body.SpaceReclaimed'],
      }),
      call('GET /containers/json?all=1', undefined, { besides: short }),
    ),
  ),
]

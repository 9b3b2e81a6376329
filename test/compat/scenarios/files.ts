/** Archives of containers, what they changed, exports. */
import { member, tarOf } from '#test/support/busybox-image.ts'
import { type Scenario, type Step, call, created, events, running, scenario } from '../scenario.ts'

const archive = await tarOf(
  member({ path: 'put', type: 'directory', uid: 7, gid: 8 }),
  member({ path: 'put/file', mode: 0o600, uid: 7, gid: 8 }, 'content'),
  member({ path: 'put/link', link: 'file' }),
)
const directoryCalledFile = await tarOf(member({ path: 'passwd', type: 'directory' }))

const busy: readonly Step[] = [
  created({
    Cmd: [
      'sh',
      '-c',
      'mkdir -p /d/e; echo hello > /d/f; ln -s f /d/l; mkfifo /d/p; chmod 4755 /d/f; rm /etc/group; echo x >> /etc/passwd',
    ],
  }),
  call('POST /containers/{box}/start', undefined, { expect: 204 }),
  call('POST /containers/{box}/wait', undefined, { expect: 200 }),
]

const paths = [
  '/d',
  '/d/',
  '/d/.',
  '/d/f',
  '/d/l',
  '/d/l/',
  '/d/p',
  '/etc/passwd',
  '/',
  '/no/such',
  'd/f',
  '',
  '/d/f/x',
  '/proc/self',
]

const stat = ['headers.x-docker-container-path-stat.size', 'headers.x-docker-container-path-stat.mtime']

export const fileScenarios: readonly Scenario[] = [
  scenario(
    'archive/stat',
    ...busy,
    ...paths.map((path) => call(`HEAD /containers/{box}/archive?path=${path}`, undefined, { besides: stat })),
  ),
  scenario(
    'archive/get',
    ...busy,
    ...paths
      .filter((path) => path !== '/' && path !== '/proc/self')
      .map((path) =>
        call(`GET /containers/{box}/archive?path=${path}`, undefined, { besides: [...stat, 'body.*.size'] }),
      ),
    call('GET /containers/{box}/archive'),
    call('GET /containers/nope/archive?path=/'),
    events(),
  ),
  scenario(
    'archive/put',
    ...busy,
    call('PUT /containers/{box}/archive?path=/d', archive),
    call('GET /containers/{box}/archive?path=/d/put', undefined, { besides: stat }),
    call('PUT /containers/{box}/archive?path=/d&copyUIDGID=1', archive),
    call('GET /containers/{box}/archive?path=/d/put', undefined, { besides: stat }),
    call('PUT /containers/{box}/archive?path=/no/such', archive),
    call('PUT /containers/{box}/archive?path=/d/f', archive),
    call('PUT /containers/{box}/archive?path=', archive),
    call('PUT /containers/{box}/archive', archive),
    call('PUT /containers/{box}/archive?path=/d', Buffer.from('this is no archive')),
    call('PUT /containers/{box}/archive?path=/etc&noOverwriteDirNonDir=1', directoryCalledFile),
    call('PUT /containers/nope/archive?path=/', archive),
    events(),
  ),
  scenario(
    'archive/put into what is read-only',
    created({ HostConfig: { ReadonlyRootfs: true, Binds: ['vol:/vol:ro'] } }),
    call('PUT /containers/{box}/archive?path=/', archive),
    call('PUT /containers/{box}/archive?path=/vol', archive),
  ),
  scenario(
    'archive/put into a volume',
    ...running({ HostConfig: { Binds: ['vol:/vol'] } }),
    call('PUT /containers/{box}/archive?path=/vol', archive),
    call('GET /containers/{box}/archive?path=/vol/put', undefined, { besides: stat }),
  ),
  scenario(
    'changes/of a container that wrote',
    ...busy,
    call('GET /containers/{box}/changes', undefined, { unordered: true }),
  ),
  scenario(
    'changes/none',
    created(),
    call('GET /containers/{box}/changes'),
    call('GET /containers/nope/changes'),
  ),
  scenario(
    'export/of a container',
    ...busy,
    call('GET /containers/{box}/export', undefined, { besides: ['body.bin*', 'body.*.size'] }),
    call('GET /containers/nope/export'),
    events(),
  ),
]

/** Images: made, named, shown, removed, moved; and the classic builder. */
import { member, tarOf } from '#test/support/busybox-image.ts'
import { type Scenario, type Step, call, created, events, running, scenario } from '../scenario.ts'

const rootfs = await tarOf(
  member({ path: 'etc', type: 'directory' }),
  member({ path: 'etc/motd' }, 'hello\n'),
)

const imported: Step = call('POST /images/create?fromSrc=-&repo=made&tag=v1&message=by%20hand', rootfs)

const context = async (Dockerfile: string): Promise<Buffer> =>
  tarOf(member({ path: 'Dockerfile' }, Dockerfile), member({ path: 'file' }, 'content\n'))

const listFilters: readonly object[] = [
  {},
  { reference: ['busybox'] },
  { reference: ['busy*'] },
  { reference: ['made:v1', 'full'] },
  { reference: ['*/*'] },
  { reference: ['['] },
  { dangling: ['true'] },
  { dangling: ['false'] },
  { dangling: ['x'] },
  { label: ['org.example.kind'] },
  { label: ['org.example.kind=other'] },
  { 'label!': ['org.example.kind'] },
  { before: ['busybox'] },
  { since: ['busybox'] },
  { since: ['nope'] },
  { until: ['1h'] },
  { until: ['x'] },
  { nope: ['a'] },
]

const lists: readonly Scenario[] = [
  scenario(
    'images/list',
    imported,
    ...['', 'all=1', 'digests=1', 'shared-size=1', 'all=x', 'filters=x'].map((query) =>
      call(`GET /images/json?${query}`, undefined, { unordered: true }),
    ),
  ),
  scenario(
    'images/list with filters',
    imported,
    ...listFilters.map((each) =>
      call(`GET /images/json?filters=${encodeURIComponent(JSON.stringify(each))}`, undefined, {
        unordered: true,
      }),
    ),
  ),
  scenario(
    'images/shown',
    ...[
      'busybox',
      'full',
      'full:latest',
      'docker.io/library/full',
      'library/full',
      'nope',
      'full:nope',
      'UPPER',
      'a b',
      'sha256:abc',
    ].map((name) => call(`GET /images/${name.replace(' ', '%20')}/json`)),
    call('GET /images/full/json', undefined, { keep: { image: 'Id' } }),
    call('GET /images/{image}/json'),
    call('GET /images/full/history'),
    call('GET /images/busybox/history'),
    call('GET /images/nope/history'),
  ),
]

const importScenarios: readonly Scenario[] = [
  scenario(
    'import/of an archive',
    imported,
    call('GET /images/made:v1/json'),
    call('GET /images/made:v1/history'),
    events(),
  ),
  scenario(
    'import/with changes',
    call(
      `POST /images/create?fromSrc=-&repo=made&changes=${encodeURIComponent('CMD ["a"]')}&changes=${encodeURIComponent('ENV A=1')}&changes=${encodeURIComponent('EXPOSE 80')}&changes=${encodeURIComponent('LABEL a=b')}&changes=${encodeURIComponent('USER me')}`,
      rootfs,
    ),
    call('GET /images/made/json'),
  ),
  scenario(
    'import/mistakes',
    call('POST /images/create?fromSrc=-&repo=made&changes=RUN%20true', rootfs),
    call('POST /images/create?fromSrc=-&repo=made&changes=NOPE', rootfs),
    call('POST /images/create?fromSrc=-&repo=UPPER', rootfs),
    call('POST /images/create?fromSrc=-&repo=made&tag=-', rootfs),
    call('POST /images/create?fromSrc=-&repo=made', Buffer.from('no archive')),
    call('POST /images/create?fromSrc=nope&repo=made'),
    call('POST /images/create?fromSrc=-&platform=nope', rootfs),
    call('POST /images/create'),
    call('POST /images/create?fromImage='),
    call('POST /images/create?fromImage=UPPER'),
    call('POST /images/create?fromImage=scratch'),
    call('POST /images/create?fromImage=busybox&platform=nope/x/y/z'),
  ),
  scenario(
    'import/without a name',
    call('POST /images/create?fromSrc=-', rootfs),
    call('GET /images/json', undefined, { unordered: true }),
    events(),
  ),
]

const names: readonly Scenario[] = [
  scenario(
    'tag/and untag',
    call('POST /images/busybox/tag?repo=other&tag=v1'),
    call('POST /images/busybox/tag?repo=example.org/a/b'),
    call('GET /images/other:v1/json'),
    call('DELETE /images/other:v1'),
    call('DELETE /images/example.org/a/b'),
    events(),
  ),
  scenario(
    'tag/moved to another image',
    call('POST /images/busybox/tag?repo=other'),
    call('POST /images/full/tag?repo=other'),
    call('GET /images/json', undefined, { unordered: true }),
    events(),
  ),
  scenario(
    'tag/mistakes',
    call('POST /images/nope/tag?repo=a'),
    ...['', 'UPPER', 'a b', 'sha256', `${'a'.repeat(300)}`, 'a/', '-a', 'ab:tag', 'ab@sha256:aa'].map(
      (repo) => call(`POST /images/busybox/tag?repo=${encodeURIComponent(repo)}`),
    ),
    call('POST /images/busybox/tag?repo=fine&tag=-bad'),
    call('POST /images/busybox/tag?repo=fine&tag=' + 'a'.repeat(129)),
    call('GET /images/json', undefined, { unordered: true }),
  ),
  scenario(
    'rmi/an image',
    imported,
    call('DELETE /images/made:v1'),
    call('GET /images/made:v1/json'),
    call('DELETE /images/made:v1'),
    events(),
  ),
  scenario(
    'rmi/an image by its id',
    imported,
    call('GET /images/made:v1/json', undefined, { keep: { image: 'Id' } }),
    call('POST /images/made:v1/tag?repo=made&tag=v2'),
    call('DELETE /images/{image}'),
    call('POST /images/made:v1/tag?repo=other'),
    call('DELETE /images/{image}'),
    call('DELETE /images/{image}?force=1'),
    events(),
  ),
  scenario(
    'rmi/what a stopped container uses',
    imported,
    created({ Image: 'made:v1', Cmd: ['a'] }),
    call('DELETE /images/made:v1'),
    call('GET /images/made:v1/json', undefined, { keep: { image: 'Id' } }),
    call('DELETE /images/{image}'),
    call('DELETE /images/made:v1?force=1'),
    call('GET /containers/box/json'),
    call('GET /containers/json?all=1'),
  ),
  scenario(
    'rmi/what a running container uses',
    call('POST /images/busybox/tag?repo=mine'),
    ...running({ Image: 'mine' }),
    call('DELETE /images/mine'),
    call('GET /images/busybox/json', undefined, { keep: { image: 'Id' } }),
    call('DELETE /images/{image}'),
    call('DELETE /images/{image}?force=1'),
    call('GET /containers/json'),
  ),
  scenario(
    'rmi/mistakes',
    call('DELETE /images/nope'),
    call('DELETE /images/UPPER'),
    call('DELETE /images/nope?force=1'),
    call('DELETE /images/busybox@sha256:aa'),
  ),
  ...[
    {},
    { dangling: ['false'] },
    { dangling: ['x'] },
    { until: ['1h'] },
    { label: ['a'] },
    { nope: ['a'] },
  ].map((each) =>
    scenario(
      `prune/of images with ${JSON.stringify(each)}`,
      imported,
      call('POST /images/create?fromSrc=-', rootfs),
      created(),
      call(`POST /images/prune?filters=${encodeURIComponent(JSON.stringify(each))}`, undefined, {
        besides: ['body.SpaceReclaimed'],
      }),
      call('GET /images/json', undefined, { unordered: true }),
      events(),
    ),
  ),
]

const moved: readonly Scenario[] = [
  scenario(
    'save/one image',
    call('GET /images/full/get', undefined, { besides: ['body.*'] }),
    call('GET /images/get?names=full&names=busybox', undefined, { besides: ['body.*'] }),
    call('GET /images/get'),
    call('GET /images/get?names=nope'),
    call('GET /images/nope/get'),
    events(),
  ),
  scenario(
    'load/mistakes',
    call('POST /images/load', Buffer.from('no archive')),
    call('POST /images/load', await tarOf(member({ path: 'manifest.json' }, '[{}]'))),
    call('POST /images/load', await tarOf(member({ path: 'manifest.json' }, 'x'))),
    call('POST /images/load', await tarOf(member({ path: 'x' }, 'x'))),
    call('POST /images/load?platform=nope', rootfs),
  ),
  scenario(
    'commit/a container',
    created({ Cmd: ['sh', '-c', 'echo x > /x'], Labels: { a: 'b' }, Env: ['A=1'] }),
    call('POST /containers/{box}/start'),
    call('POST /containers/{box}/wait'),
    call('POST /commit?container={box}&repo=made&tag=v1&author=me&comment=words', undefined, { as: 'image' }),
    call('GET /images/made:v1/json'),
    call('GET /images/made:v1/history'),
    events(),
  ),
  scenario(
    'commit/with a configuration and changes',
    ...running(),
    call(
      `POST /commit?container={box}&repo=made&changes=${encodeURIComponent('CMD ["b"]')}&changes=${encodeURIComponent('EXPOSE 80')}`,
      { Env: ['B=2'], Labels: { c: 'd' }, WorkingDir: '/w' },
      { as: 'image' },
    ),
    call('GET /images/made/json'),
    call('POST /commit?container={box}&pause=0', undefined, { as: 'other' }),
    call('GET /images/{other}/json'),
  ),
  scenario(
    'commit/mistakes',
    created(),
    call('POST /commit?container=nope'),
    call('POST /commit'),
    call('POST /commit?container={box}&repo=UPPER'),
    call('POST /commit?container={box}&changes=RUN%20true'),
    call('POST /commit?container={box}&changes=NOPE'),
  ),
]

const builds: Readonly<Record<string, string>> = {
  'a step of each kind': `FROM busybox
LABEL a=b
ENV A=1
WORKDIR /w
COPY file .
RUN cat file
EXPOSE 80
USER nobody
VOLUME /v
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT ["/bin/sh"]
CMD ["-c", "true"]`,
  'two stages': 'FROM busybox AS one\nRUN echo x > /x\nFROM busybox\nCOPY --from=one /x /y',
  'a step that fails': 'FROM busybox\nRUN exit 3',
  'a base that is not there': 'FROM localhost:1/nope',
  'an unknown instruction': 'FROM busybox\nNOPE x',
  'no FROM': 'RUN true',
  nothing: '',
  'a file that is not there': 'FROM busybox\nCOPY nope /',
  arguments: 'ARG WHO=nobody\nFROM busybox\nARG WHO\nARG SET\nRUN echo $WHO $SET',
  scratch: 'FROM scratch\nCOPY file /',
  ONBUILD: 'FROM full\nRUN true',
}

const buildScenarios: readonly Scenario[] = [
  ...(await Promise.all(
    Object.entries(builds).map(async ([what, Dockerfile]) =>
      scenario(
        `build/${what}`,
        call('POST /build?t=made:v1', await context(Dockerfile)),
        call('GET /images/made:v1/json'),
        call('GET /images/made:v1/history'),
      ),
    ),
  )),
  scenario(
    'build/parameters',
    call('POST /build?t=made&q=1', await context('FROM busybox\nRUN true')),
    call(
      `POST /build?t=made&buildargs=${encodeURIComponent('{"WHO":"me"}')}&labels=${encodeURIComponent('{"a":"b"}')}&nocache=1`,
      await context('FROM busybox\nARG WHO\nRUN echo $WHO'),
    ),
    call('POST /build?t=made&dockerfile=nope', await context('FROM busybox')),
    call('POST /build?t=UPPER', await context('FROM busybox')),
    call('POST /build?buildargs=nope', await context('FROM busybox')),
    call('POST /build?labels=nope', await context('FROM busybox')),
    call('POST /build?version=9', await context('FROM busybox')),
    call('POST /build?target=nope', await context('FROM busybox AS one')),
    call('POST /build?remote=nope'),
    call('POST /build', Buffer.from('no archive')),
    call('POST /build?platform=nope/a/b/c', await context('FROM busybox')),
    call('POST /build?memory=x', await context('FROM busybox')),
    call('POST /build?isolation=hyperv', await context('FROM busybox')),
  ),
  scenario(
    'build/prune',
    call('POST /build/prune'),
    call('POST /build/prune?filters=x'),
    call('POST /build/prune?all=1'),
  ),
]

export const imageScenarios: readonly Scenario[] = [
  ...lists,
  ...importScenarios,
  ...names,
  ...moved,
  ...buildScenarios,
]

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { projectOf } from '../load/memory.fixture.ts'
import type { Project } from '../model/project.ts'
import { type ContainerPlan, containerBody } from './body.ts'

function bodyOf(
  service: string,
  rest = '',
  plan: Partial<ContainerPlan> = {},
): ReturnType<typeof containerBody> {
  const project: Project = projectOf(
    `name: p\nservices:\n  web:\n    image: web\n${service.replaceAll(/^/gm, '    ')}\n${rest}`,
  )
  const web = project.services['web']
  assert.ok(web !== undefined)
  return containerBody(project, web, {
    service: 'web',
    number: 1,
    name: 'p-web-1',
    image: 'web',
    inherited: [],
    oneoff: false,
    hash: 'h',
    imageId: 'sha256:i',
    containerOf: (name) => `id-of-${name}`,
    aliases: true,
    ...plan,
  })
}

describe('containerBody()', () => {
  it('carries the labels by which Compose finds its containers', () => {
    const { Labels } = bodyOf(
      'labels: {own: x}\ndepends_on: {db: {condition: service_healthy, restart: true}}',
      '  db: {image: db}\n',
    )
    assert.deepEqual(Labels, {
      own: 'x',
      'com.docker.compose.config-hash': 'h',
      'com.docker.compose.container-number': '1',
      'com.docker.compose.depends_on': 'db:service_healthy:true',
      'com.docker.compose.image': 'sha256:i',
      'com.docker.compose.oneoff': 'False',
      'com.docker.compose.project': 'p',
      'com.docker.compose.project.config_files': '/p/compose.yaml',
      'com.docker.compose.project.working_dir': '/p',
      'com.docker.compose.service': 'web',
      'com.docker.compose.version': '2.40.3',
    })
  })

  it('is on its networks under its own name, that of its service, and its aliases; the most important one first', () => {
    const networks = 'networks: {front: {aliases: [site]}, back: {priority: 5, ipv4_address: 10.0.0.9}}'
    const { HostConfig, NetworkingConfig } = bodyOf(networks, 'networks: {front: {}, back: {}}\n')
    assert.equal(HostConfig?.NetworkMode, 'p_back')
    assert.deepEqual(NetworkingConfig?.EndpointsConfig, {
      p_back: { Aliases: ['p-web-1', 'web'], IPAMConfig: { IPv4Address: '10.0.0.9' } },
      p_front: { Aliases: ['p-web-1', 'web', 'site'] },
    })
    const hidden = bodyOf(networks, 'networks: {front: {}, back: {}}\n', { aliases: false })
    assert.deepEqual(hidden.NetworkingConfig?.EndpointsConfig?.['p_front'], { Aliases: ['p-web-1'] })
  })

  it('mounts what can be made as Binds, and everything else as Mounts; volumes without a name are taken over', () => {
    const volumes =
      'volumes: ["./a:/a:ro", "data:/d", /anonymous, {type: tmpfs, target: /t, tmpfs: {size: 1m}}]\nsecrets: [s]\ntmpfs: ["/run:size=1m"]'
    const inherited = [
      { name: 'f00', target: '/anonymous' },
      { name: 'ba5', target: '/of-image' },
    ]
    const { HostConfig } = bodyOf(volumes, 'volumes: {data: {}}\nsecrets: {s: {file: ./s.txt}}\n', {
      inherited,
    })
    assert.deepEqual(HostConfig?.Binds, ['/p/a:/a:ro'])
    assert.deepEqual(HostConfig?.Mounts, [
      { Type: 'volume', Target: '/d', Source: 'p_data', VolumeOptions: {} },
      { Type: 'volume', Target: '/anonymous', Source: 'f00', VolumeOptions: {} },
      { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1_048_576 } },
      { Type: 'volume', Target: '/of-image', Source: 'ba5' },
      { Type: 'bind', Source: '/p/s.txt', Target: '/run/secrets/s', ReadOnly: true },
    ])
    assert.deepEqual(HostConfig?.Tmpfs, { '/run': 'size=1m' })
  })

  it('shares namespaces and volumes with containers of other services', () => {
    const { HostConfig } = bodyOf(
      'network_mode: service:db\npid: service:db\nvolumes_from: [db:ro, "container:x"]',
      '  db: {image: db}\n',
    )
    assert.deepEqual(
      [HostConfig?.NetworkMode, HostConfig?.PidMode, HostConfig?.VolumesFrom],
      ['container:id-of-db', 'container:id-of-db', ['id-of-db:ro', 'x']],
    )
  })

  it('has limits, ports, health and restarts under the names of the API', () => {
    const { HostConfig, Healthcheck, ExposedPorts, StopTimeout, Env } = bodyOf(
      [
        'deploy: {resources: {limits: {cpus: "0.5", memory: 1g, pids: 5}}, restart_policy: {condition: on-failure, max_attempts: 3}}',
        'ports: ["127.0.0.1:80:8080", "53/udp"]',
        'expose: ["90-91"]',
        'healthcheck: {test: x, interval: 1m30s, retries: 2}',
        'stop_grace_period: 1500ms',
        'environment: {A: a, TAKEN_AWAY: }',
        'gpus: all',
        'ulimits: {nofile: 5}',
      ].join('\n'),
    )
    const { Memory, NanoCpus, PidsLimit, RestartPolicy, PortBindings, DeviceRequests, Ulimits } =
      HostConfig ?? {}
    assert.deepEqual([Memory, NanoCpus, PidsLimit], [1_073_741_824, 500_000_000, 5])
    assert.deepEqual(RestartPolicy, { Name: 'on-failure', MaximumRetryCount: 3 })
    assert.deepEqual(PortBindings, {
      '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: '80' }],
      '53/udp': [{ HostIp: '', HostPort: '' }],
    })
    assert.deepEqual(Object.keys(ExposedPorts ?? {}), ['90/tcp', '91/tcp', '8080/tcp', '53/udp'])
    assert.deepEqual(Healthcheck, { Test: ['CMD-SHELL', 'x'], Interval: 90_000_000_000, Retries: 2 })
    assert.equal(StopTimeout, 2)
    assert.deepEqual(Env, ['A=a', 'TAKEN_AWAY'])
    assert.deepEqual(DeviceRequests, [{ Count: -1, Capabilities: [['gpu']] }])
    assert.deepEqual(Ulimits, [{ Name: 'nofile', Soft: 5, Hard: 5 }])
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { lowerContainer, lowerContainerSummaries } from './container-responses.ts'
import { lowerEvent } from './events.ts'
import { lowerImage, lowerImageSummaries } from './images.ts'
import { lowerNetwork, lowerNetworks } from './networks.ts'
import { lowerDiskUsage, lowerInfo } from './system.ts'

const id = 'ab12cd34ef56'.padEnd(64, '0')
const bridge = { IPAddress: '172.17.0.2', IPPrefixLen: 16, Gateway: '172.17.0.1', MacAddress: '02:00' }
const container = {
  Id: id,
  Driver: 'overlayfs',
  Storage: { RootFS: { Snapshot: { Name: 'overlayfs' } } },
  ImageManifestDescriptor: {},
  HostConfig: { NetworkMode: 'bridge' },
  Config: { Hostname: 'web' },
  NetworkSettings: { Networks: { bridge, backend: { Aliases: ['db'], DNSNames: ['db'], GwPriority: 1 } } },
}

type Lowered = Record<string, Record<string, unknown>> & {
  readonly NetworkSettings: Record<string, unknown> & {
    readonly Networks: Record<string, Record<string, unknown>>
  }
}

describe('lowerContainer()', () => {
  const lowered = (version: `1.${number}`): Lowered => lowerContainer(container, version) as Lowered

  it('is the document itself from 1.52 on', () => {
    assert.equal(lowerContainer(container, '1.52'), container)
  })

  it('copies the default bridge to the top, and says GraphDriver, until 1.51', () => {
    const older = lowered('1.51')
    assert.equal(older['NetworkSettings']['IPAddress'], '172.17.0.2')
    assert.equal(older['NetworkSettings']['IPPrefixLen'], 16)
    assert.deepEqual(older['GraphDriver'], { Name: 'overlayfs', Data: null })
    assert.equal('Storage' in older, false)
    // It would pin the address of whoever is made again from this document.
    assert.equal('MacAddress' in (older['Config'] ?? {}), false)
    assert.deepEqual(older.NetworkSettings.Networks['backend']?.['Aliases'], ['db'])
  })

  it('lists short id and host name among the aliases until 1.44', () => {
    assert.deepEqual(lowered('1.44').NetworkSettings.Networks['backend']?.['Aliases'], [
      'db',
      id.slice(0, 12),
      'web',
    ])
    assert.equal(lowered('1.44').NetworkSettings.Networks['bridge']?.['Aliases'], undefined)
    // What came later is not taken away: Docker leaves it there.
    assert.deepEqual(lowered('1.24').NetworkSettings.Networks['backend']?.['DNSNames'], ['db'])
  })
})

describe('lowerContainerSummaries()', () => {
  it('leaves out what came later', () => {
    const list = [
      { Health: {}, ImageManifestDescriptor: {}, HostConfig: { NetworkMode: 'a', Annotations: {} } },
    ]
    assert.equal(lowerContainerSummaries(list, '1.52'), list)
    assert.deepEqual(lowerContainerSummaries(list, '1.51'), [
      { ImageManifestDescriptor: {}, HostConfig: { NetworkMode: 'a', Annotations: {} } },
    ])
    assert.deepEqual(lowerContainerSummaries(list, '1.45'), [{ HostConfig: { NetworkMode: 'a' } }])
  })
})

describe('lowerImage()', () => {
  const image = { Id: 'i', RepoTags: [], RepoDigests: [], Size: 7, Config: { Cmd: ['sh'] }, Descriptor: {} }

  it('adds empty fields, container fields, sizes and placeholders, each for its time', () => {
    const lowered = (version: `1.${number}`): Record<string, unknown> =>
      lowerImage(image, version) as Record<string, unknown>
    assert.equal(lowered('1.53'), image)
    assert.equal(lowered('1.52')['Parent'], undefined)
    assert.equal(lowered('1.51')['Parent'], '')
    assert.deepEqual(lowered('1.50')['Config'], { Cmd: ['sh'] })
    assert.deepEqual((lowered('1.49')['Config'] as object as { Hostname: string }).Hostname, '')
    assert.equal('Descriptor' in lowered('1.47'), false)
    assert.equal((lowered('1.44')['ContainerConfig'] as { Cmd: unknown }).Cmd, null)
    assert.equal(lowered('1.45')['ContainerConfig'], undefined)
    assert.equal(lowered('1.43')['VirtualSize'], 7)
    assert.deepEqual(lowered('1.42')['RepoTags'], ['<none>:<none>'])
    assert.deepEqual(lowered('1.43')['RepoTags'], [])
  })
})

describe('lowerImageSummaries()', () => {
  it('hides the number of containers until 1.50', () => {
    const list = [{ Id: 'i', RepoTags: ['a:1'], Size: 7, Containers: 3, Manifests: [], Descriptor: {} }]
    assert.equal(lowerImageSummaries(list, '1.51'), list)
    assert.deepEqual(lowerImageSummaries(list, '1.43'), [
      { Id: 'i', RepoTags: ['a:1'], Size: 7, Containers: -1, VirtualSize: 7 },
    ])
  })
})

describe('lowerEvent()', () => {
  const event = {
    Type: 'container',
    Action: 'die',
    Actor: { ID: 'c', Attributes: { image: 'demo' } },
  } as const

  it('repeats status, id and from until 1.51', () => {
    assert.equal(lowerEvent(event, '1.52'), event)
    assert.deepEqual(lowerEvent(event, '1.51'), { status: 'die', id: 'c', from: 'demo', ...event })
    const network = { Type: 'network', Action: 'connect' }
    assert.equal(lowerEvent(network, '1.24'), network)
    const pruned = { Type: 'container', Action: 'prune', Actor: { ID: '', Attributes: { reclaimed: '0' } } }
    assert.deepEqual(lowerEvent(pruned, '1.51'), { status: 'prune', ...pruned })
  })

  it('has no image create events until 1.45', () => {
    const created = { Type: 'image', Action: 'create', Actor: { ID: 'i' } }
    assert.equal(lowerEvent(created, '1.45'), undefined)
    assert.notEqual(lowerEvent(created, '1.46'), undefined)
  })
})

describe('lowerNetwork()', () => {
  it('leaves out what came later', () => {
    const network = { Name: 'a', Status: {}, EnableIPv4: true }
    assert.deepEqual(lowerNetwork(network, '1.52'), network)
    assert.deepEqual(lowerNetwork(network, '1.51'), { Name: 'a', EnableIPv4: true })
    assert.deepEqual(lowerNetwork(network, '1.47'), { Name: 'a', EnableIPv4: true })
  })

  it('lists with no containers until 1.51', () => {
    assert.deepEqual(lowerNetworks([{ Name: 'a' }], '1.51'), [{ Name: 'a', Containers: {} }])
    assert.deepEqual(lowerNetworks([{ Name: 'a' }], '1.52'), [{ Name: 'a' }])
  })
})

describe('lowerInfo()', () => {
  it('doubles the commits until 1.48', () => {
    const lowered = lowerInfo({ RuncCommit: { ID: 'x' } }, '1.48') as Record<string, unknown>
    assert.deepEqual(lowered['RuncCommit'], { ID: 'x', Expected: 'x' })
    assert.deepEqual(lowerInfo({ RuncCommit: { ID: 'x' } }, '1.52'), { RuncCommit: { ID: 'x' } })
  })
})

describe('lowerDiskUsage()', () => {
  it('is lists until 1.51, null for types that were not asked for', () => {
    const usage = { ImageUsage: { TotalSize: 9, Items: [{}] }, VolumeUsage: { Items: null } }
    assert.deepEqual(lowerDiskUsage(usage, '1.51'), {
      LayersSize: 9,
      Images: [{}],
      Containers: null,
      Volumes: [],
      BuildCache: null,
    })
    assert.equal(lowerDiskUsage(usage, '1.52'), usage)
  })

  it('has always said how many containers an image has', () => {
    const usage = { ImageUsage: { TotalSize: 9, Items: [{ Id: 'i', Containers: 3 }] } }
    const { Images } = lowerDiskUsage(usage, '1.50') as { readonly Images: readonly object[] }
    assert.deepEqual(Images, [{ Id: 'i', Containers: 3 }])
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BUILD_EXTRAS_TYPE } from '#api/build-extras.ts'
import type { BuildOptions } from '#engine/builds/service.ts'
import { Query } from '../query.ts'
import { buildOptions } from './build-options.ts'

async function* noBytes(): AsyncGenerator<Uint8Array> {}

const { signal } = new AbortController()

async function options(query: string, headers: Record<string, string> = {}): Promise<BuildOptions> {
  return buildOptions({ query: new Query(new URLSearchParams(query)), headers, body: noBytes(), signal })
}

async function extras(document: unknown): Promise<BuildOptions> {
  const body = (async function* () {
    yield Buffer.from(JSON.stringify(document))
  })()
  const query = new Query(new URLSearchParams('t=a'))
  return buildOptions({ query, headers: { 'content-type': BUILD_EXTRAS_TYPE }, body, signal })
}

describe('buildOptions()', () => {
  it('has defaults for what is not said', async () => {
    const { context, auth, ...rest } = await options('')
    assert.equal(context.type, 'tar')
    assert.equal(await auth('docker.io'), undefined)
    assert.deepEqual(rest, {
      id: undefined,
      session: undefined,
      dockerfile: { path: 'Dockerfile' },
      namedContexts: {},
      tags: [],
      target: undefined,
      buildArgs: {},
      labels: {},
      annotations: [],
      platforms: [],
      pull: false,
      noCache: false,
      noCacheFilter: [],
      network: undefined,
      extraHosts: [],
      limits: {
        shmSize: undefined,
        ulimits: [],
        cgroupParent: undefined,
        memory: undefined,
        memorySwap: undefined,
        cpuShares: undefined,
        cpuPeriod: undefined,
        cpuQuota: undefined,
        cpusetCpus: undefined,
        cpusetMems: undefined,
      },
      allow: [],
      cacheFrom: [],
      cacheTo: [],
      squash: false,
      outputs: [],
      provenance: 'none',
      sbom: undefined,
      call: 'build',
      signal,
    })
  })

  it("reads all of Docker's parameters", async () => {
    const said = await options(
      new URLSearchParams([
        ['dockerfile', 'sub/Dockerfile'],
        ['t', 'a'],
        ['t', 'b:2'],
        ['extrahosts', 'h:1.2.3.4'],
        ['extrahosts', 'i:1.2.3.5'],
        ['nocache', '1'],
        ['cachefrom', '["a","type=local,src=/x"]'],
        ['pull', '1'],
        ['rm', '1'],
        ['forcerm', '1'],
        ['memory', '1000000'],
        ['memswap', '-1'],
        ['cpushares', '5'],
        ['cpusetcpus', '0-1'],
        ['cpusetmems', '0'],
        ['cpuperiod', '1000'],
        ['cpuquota', '2000'],
        ['buildargs', '{"A":"b","C":null,"D":""}'],
        ['shmsize', '67108864'],
        ['squash', '1'],
        ['labels', '{"l":"v"}'],
        ['networkmode', 'host'],
        ['platform', 'linux/arm64'],
        ['target', 'build'],
        ['outputs', '[{"Type":"moby","Attrs":{"type":"image","name":"x"}}]'],
        ['version', '1'],
        ['buildid', 'my-id'],
        ['session', 'my-session'],
        ['ulimits', '[{"Name":"nofile","Soft":10,"Hard":20}]'],
        ['cgroupparent', '/below'],
      ]).toString(),
      {
        'x-registry-config': Buffer.from('{"r.example":{"username":"u","password":"p"}}').toString('base64'),
      },
    )
    assert.deepEqual(
      [said.dockerfile, said.tags, said.extraHosts],
      [{ path: 'sub/Dockerfile' }, ['a', 'b:2'], ['h:1.2.3.4', 'i:1.2.3.5']],
    )
    assert.deepEqual(
      [said.noCache, said.pull, said.squash, said.network, said.target],
      [true, true, true, 'host', 'build'],
    )
    assert.deepEqual([said.id, said.session, said.platforms], ['my-id', 'my-session', ['linux/arm64']])
    // Null is "declared, without a value": nothing to set.
    assert.deepEqual([said.buildArgs, said.labels], [{ A: 'b', D: '' }, { l: 'v' }])
    assert.deepEqual(said.cacheFrom, [
      { type: 'registry', attributes: { ref: 'a' } },
      { type: 'local', attributes: { src: '/x' } },
    ])
    assert.deepEqual(said.outputs, [{ type: 'image', attributes: { name: 'x' } }])
    assert.deepEqual(said.limits, {
      shmSize: 67108864,
      ulimits: [{ name: 'nofile', soft: 10, hard: 20 }],
      cgroupParent: '/below',
      memory: 1000000,
      memorySwap: -1,
      cpuShares: 5,
      cpuPeriod: 1000,
      cpuQuota: 2000,
      cpusetCpus: '0-1',
      cpusetMems: '0',
    })
    assert.deepEqual(await said.auth('r.example'), { username: 'u', password: 'p' })
  })

  it('takes a remote context instead of the body', async () => {
    const { context } = await options('remote=https://example.com/a.git%23main:sub')
    assert.deepEqual(context, { type: 'remote', url: 'https://example.com/a.git#main:sub' })
  })

  it("reads berth's own request from the body, and from the query beside a tar", async () => {
    const document = {
      context: { type: 'directory', path: '/src' },
      dockerfile: { text: 'FROM scratch', name: 'Dockerfile' },
      namedContexts: {
        a: { type: 'image', reference: 'busybox' },
        b: { type: 'oci-layout', path: '/layout', reference: 'v1' },
        c: { type: 'session', name: 'c' },
      },
      platforms: ['linux/amd64', 'linux/arm64'],
      noCacheFilter: ['build'],
      cacheTo: [{ type: 'inline', attributes: {} }],
      outputs: [{ type: 'local', attributes: { mode: 'delete' } }],
      provenance: 'max',
      sbom: 'scanner',
      call: 'check',
    }
    const said = await extras(document)
    assert.deepEqual(said.context, { type: 'directory', path: '/src' })
    assert.deepEqual(said.dockerfile, document.dockerfile)
    assert.deepEqual(said.namedContexts, document.namedContexts)
    assert.deepEqual(
      [said.tags, said.platforms, said.provenance, said.call],
      [['a'], ['linux/amd64', 'linux/arm64'], 'max', 'check'],
    )
    const beside = await options(`berth-request=${encodeURIComponent('{"noCacheFilter":["x"]}')}`)
    assert.equal(beside.context.type, 'tar')
    assert.deepEqual(beside.noCacheFilter, ['x'])
  })

  const refused: Readonly<Record<string, RegExp>> = {
    'buildargs=[]': /invalid buildargs: want JSON with an object of strings/,
    'buildargs={"a":1}': /invalid buildargs/,
    'labels=nonsense': /invalid labels/,
    'cachefrom={}': /invalid cachefrom/,
    'cachefrom=["type=gha"]': /invalid cache type "gha"/,
    'ulimits=[{"Name":"a"}]': /invalid ulimits/,
    'outputs=[{"Type":"floppy"}]': /invalid output type "floppy"/,
    'networkmode=container:web': /network mode "container:web" is not possible in a build/,
    'version=3': /invalid version 3/,
    'memory=much': /invalid memory/,
    'securityopt=["seccomp=x"]': /does not support setting security options/,
    'berth-request={"context":{"type":"directory","path":"relative"}}': /relative is no absolute path/,
    'berth-request={"context":{"type":"image","reference":"a"}}': /can only be a named context/,
    'berth-request={"namedContexts":{"a":{"type":"remote"}}}': /invalid context a: type remote needs url/,
    'berth-request={"provenance":"all"}': /invalid provenance "all": want none, min, max/,
    'berth-request={"platforms":"x"}': /platforms/,
  }
  for (const [query, words] of Object.entries(refused)) {
    it(`refuses ${query}`, async () => {
      await assert.rejects(options(query), (error: { kind?: string; message: string }) => {
        assert.equal(error.kind, 'invalid_argument')
        assert.match(error.message, words)
        return true
      })
    })
  }

  it('refuses a request in the body that says nothing of the context', async () => {
    await assert.rejects(extras({ platforms: [] }), /missing field: context/)
  })
})

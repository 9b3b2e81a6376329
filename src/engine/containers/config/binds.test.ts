import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ContainerConfig, HostConfig, Mount } from '#api/generated/types.ts'
import { isKind } from '#base/errors.ts'
import { mountOptions, mountRequests, parseBind, parseVolumesFrom } from './binds.ts'
import { plainRequest } from './mount-request.ts'
import { parseMount } from './mount-specs.ts'
import { tmpfsOptions } from './tmpfs-options.ts'

const requests = (hostConfig: HostConfig, config: ContainerConfig = {}) =>
  mountRequests(config, hostConfig, { donorMounts: () => [], dataRoot: '/data/root' })
const destinations = (hostConfig: HostConfig, config: ContainerConfig = {}) =>
  requests(hostConfig, config).map(({ destination }) => destination)

describe('parseBind()', () => {
  it('reads a path of the host, which is made when it is missing', () => {
    assert.deepEqual(parseBind('/src/./a/:/dst//b/', ''), {
      ...plainRequest,
      type: 'bind',
      source: '/src/a',
      destination: '/dst/b',
      createSource: true,
    })
  })

  it('reads options', () => {
    const { readWrite, propagation, mode } = parseBind('/a:/b:ro,rshared,z', '')
    assert.deepEqual([readWrite, propagation, mode], [false, 'rshared', 'ro,rshared,z'])
  })

  it('reads a volume with the driver of the container', () => {
    const { type, source, driver, noCopy } = parseBind('data:/b:nocopy', 'local')
    assert.deepEqual([type, source, driver, noCopy], ['volume', 'data', 'local', true])
  })

  it('reads a destination alone as an anonymous volume', () => {
    const { type, source, destination } = parseBind('/data', '')
    assert.deepEqual([type, source, destination], ['volume', '', '/data'])
  })

  for (const [raw, message] of [
    ['', "invalid volume specification: ''"],
    [':/b', "invalid volume specification: ':/b'"],
    ['/a:ro', "invalid volume specification: '/a:ro'"],
    ['/a:', "invalid volume specification: '/a:'"],
    ['/a:/b:ro:x', "invalid volume specification: '/a:/b:ro:x'"],
    ['/a:/b:fast', 'invalid mode: fast'],
    ['/a:/b:ro,rw', 'invalid mode: ro,rw'],
    ['/a:/b:ro,ro', 'invalid mode: ro,ro'],
    [
      '/a:/b:nocopy',
      "invalid volume specification: '/a:/b:nocopy': field VolumeOptions must not be specified",
    ],
    ['a1:/b:shared', "invalid volume specification: 'a1:/b:shared': field BindOptions must not be specified"],
    [
      '/a:b',
      `invalid volume specification: '/a:b': invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`,
    ],
    [
      '/a:/',
      `invalid volume specification: '/a:/': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
    ],
    [
      '/a:/b/..',
      `invalid volume specification: '/a:/b/..': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
    ],
  ] as const) {
    it(`refuses ${JSON.stringify(raw)}`, () => assert.throws(() => parseBind(raw, ''), { message }))
  }

  it('refuses volume names that would leave the directory of volumes', () => {
    for (const name of ['..', '../x', 'a/b', '.hidden', 'a', 'a b']) {
      assert.throws(() => requests({ Binds: [`${name}:/b`] }), {
        message: /^(create .*invalid characters for a local volume name|create a: volume name is too short)/,
      })
    }
  })

  it('gives clean absolute destinations or invalid_argument for any text', () => {
    const part = fc.oneof(fc.string(), fc.constantFrom('/a', '/a/../b', 'ro', 'rslave', '', '//'))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        try {
          const { destination } = parseBind(parts.join(':'), '')
          assert.match(destination, /^\/[^\0]+$/)
          assert.ok(!destination.split('/').includes('..'))
        } catch (error) {
          assert.ok(isKind(error, 'invalid_argument'), String(error))
        }
      }),
    )
  })
})

describe('parseMount()', () => {
  it('reads every kind', () => {
    const parse = (mount: Mount) => parseMount({ Target: '/t', ...mount })
    assert.deepEqual(parse({ Type: 'bind', Source: '/s', ReadOnly: true }), {
      ...plainRequest,
      type: 'bind',
      destination: '/t',
      source: '/s',
      readWrite: false,
    })
    const volume = parse({
      Type: 'volume',
      Source: 'data',
      VolumeOptions: { NoCopy: true, Subpath: 'a/b', Labels: { l: '1' }, DriverConfig: { Name: 'local' } },
    })
    assert.deepEqual(
      [volume.noCopy, volume.subpath, volume.labels, volume.driver],
      [true, 'a/b', { l: '1' }, 'local'],
    )
    const tmpfs = parse({
      Type: 'tmpfs',
      TmpfsOptions: { SizeBytes: 4096, Mode: 0o700, Options: [['exec']] },
    })
    assert.deepEqual(tmpfs.data, ['mode=700', 'size=4096', 'exec'])
    const image = parse({ Type: 'image', Source: 'alpine', ImageOptions: { Subpath: 'etc' } })
    assert.deepEqual([image.source, image.subpath, image.readWrite], ['alpine', 'etc', false])
  })

  for (const [mount, reason] of [
    [{ Type: 'bind', Source: '/s', Target: '' }, 'field Target must not be empty'],
    [{ Type: 'bind' }, 'field Source must not be empty'],
    [{ Type: 'bind', Source: 's' }, "invalid mount path: 's' mount path must be absolute"],
    [{ Type: 'bind', Source: '/s', Target: 't' }, "invalid mount path: 't' mount path must be absolute"],
    [{ Type: 'volume', ReadOnly: true }, 'must not set ReadOnly mode when using anonymous volumes'],
    [
      { Type: 'volume', VolumeOptions: { Subpath: 'x' } },
      'must not set Subpath when using anonymous volumes',
    ],
    [{ Type: 'tmpfs', Source: '/s' }, 'field Source must not be specified'],
    [{ Type: 'tmpfs', TmpfsOptions: { Options: [['suid']] } }, 'invalid option: suid'],
    [{ Type: 'tmpfs', TmpfsOptions: { Options: [[]] } }, 'invalid option array length'],
    [{ Type: 'image' }, 'field Source must not be empty'],
    [{ Type: 'npipe' }, 'mount type unknown'],
  ] as const) {
    it(`refuses ${JSON.stringify(mount)}`, () => {
      const given = { Target: '/t', ...mount } as unknown as Mount
      const message = `invalid mount config for type "${mount.Type}": ${reason}`
      assert.throws(() => parseMount(given), { message })
    })
  }

  it('refuses options of another type of mount', () => {
    const given = { Target: '/t', Type: 'bind', Source: '/s', VolumeOptions: {} } as const
    assert.throws(() => parseMount(given), {
      message: 'VolumeOptions must not be specified on mount type "bind"',
    })
  })

  for (const Subpath of ['../x', 'a/../../x', '/etc', 'a\0b', '..']) {
    it(`refuses the subpath ${JSON.stringify(Subpath)}`, () => {
      const volume: Mount = { Type: 'volume', Source: 'data', Target: '/t', VolumeOptions: { Subpath } }
      assert.throws(() => parseMount(volume), /subpath must be a relative path within the volume/)
    })
  }
})

describe('mountRequests()', () => {
  it('joins every source of mounts', () => {
    const hostConfig: HostConfig = {
      Binds: ['/a:/a'],
      Mounts: [{ Type: 'volume', Source: 'data', Target: '/b' }],
      Tmpfs: { '/c': 'size=1m' },
    }
    assert.deepEqual(destinations(hostConfig, { Volumes: { '/d': {}, '/a/': {} } }), ['/a', '/b', '/c', '/d'])
  })

  it('refuses a destination that is named twice, however it is written', () => {
    for (const hostConfig of [
      { Binds: ['/a:/x', 'vol:/x/'] },
      { Binds: ['/a:/x'], Mounts: [{ Type: 'tmpfs', Target: '//x' }] },
      { Binds: ['/a:/x'], Tmpfs: { '/x/y/..': '' } },
    ] as HostConfig[]) {
      assert.throws(() => requests(hostConfig), { message: 'Duplicate mount point: /x' })
    }
  })

  it('borrows from other containers, giving way to what the container says itself', () => {
    const lent = parseBind('/theirs:/x', '')
    const other = parseBind('/theirs:/y', '')
    const donorMounts = (container: string) => {
      assert.equal(container, 'db')
      return [lent, other]
    }
    const hostConfig = { Binds: ['/mine:/x'], VolumesFrom: ['db:ro'] }
    const all = mountRequests({}, hostConfig, { donorMounts, dataRoot: '/data/root' })
    assert.deepEqual(
      all.map(({ source, destination, readWrite }) => [source, destination, readWrite]),
      [
        ['/mine', '/x', true],
        ['/theirs', '/y', false],
      ],
    )
  })

  it('never makes a borrowed read-only mount writable', () => {
    const lent = parseBind('/theirs:/x:ro', '')
    const context = { donorMounts: () => [lent], dataRoot: '/data/root' }
    const [request] = mountRequests({}, { VolumesFrom: ['db:rw'] }, context)
    assert.equal(request?.readWrite, false)
  })

  it('lets what is around the data root follow the host', () => {
    const propagation = (source: string, said = ''): unknown => {
      const bind = `${source}:/x${said === '' ? '' : `:ro,${said}`}`
      const Mounts: Mount[] = [
        { Type: 'bind', Source: source, Target: '/x', BindOptions: { Propagation: said as 'rslave' } },
      ]
      const [one] = requests({ Binds: [bind] })
      const [other] = requests({ Mounts })
      assert.equal(one?.propagation, other?.propagation)
      return one?.propagation
    }
    for (const source of ['/', '/data', '/data/root', '/data/root/volumes']) {
      assert.deepEqual(
        ['', 'rshared', 'rslave'].map((said) => propagation(source, said)),
        ['rslave', 'rshared', 'rslave'],
      )
      for (const said of ['private', 'rprivate', 'shared', 'slave']) {
        assert.throws(
          () => propagation(source, said),
          /must use either propagation mode "rslave" or "rshared"/,
        )
      }
    }
    assert.deepEqual(
      ['/data/roots', '/dat', '/other'].map((source) => propagation(source)),
      ['rprivate', 'rprivate', 'rprivate'],
    )
  })

  it('leaves mounts below read-only binds as they are for old clients', () => {
    const context = { donorMounts: () => [], dataRoot: '/data/root' }
    const options = (shallowReadOnly: boolean) =>
      mountRequests({}, { Binds: ['/a:/a:ro', '/b:/b'] }, { ...context, shallowReadOnly }).map((request) =>
        mountOptions(request),
      )
    assert.deepEqual(options(true), [
      ['rbind', 'ro', 'rprivate'],
      ['rbind', 'rprivate'],
    ])
    assert.deepEqual(options(false)[0], ['rbind', 'rro', 'rprivate'])
  })

  it('takes declared volumes relative to the root', () => {
    const [request] = requests({}, { Volumes: { 'srv/../data': {} } })
    assert.equal(request?.destination, '/data')
  })

  it('mounts nothing at the root', () => {
    assert.throws(() => requests({}, { Volumes: { '.': {} } }), /destination can't be '\/'/)
    assert.throws(() => requests({ Tmpfs: { '/': '' } }), /destination can't be '\/'/)
  })
})

describe('places below /proc', () => {
  it('are refused, but for files that runtimes let be replaced', () => {
    for (const bind of ['/proc/sys', '/src:/proc/self', 'data:/proc/sysrq-trigger', '/a:/proc']) {
      assert.throws(
        () => requests({ Binds: [bind] }),
        /cannot be mounted because it is (inside|not of type) \/?proc/,
      )
    }
    assert.throws(() => requests({}, { Volumes: { '/proc//sys': {} } }), /"\/proc\/sys" cannot be mounted/)
    assert.throws(() => requests({ Tmpfs: { '/proc/acpi': '' } }), /cannot be mounted/)
    const shown = ['/lxcfs/meminfo:/proc/meminfo', '/proc:/proc', '/a:/process', '/proc:/host/proc']
    assert.equal(requests({ Binds: shown }).length, 4)
  })
})

describe('parseVolumesFrom()', () => {
  it('reads the container and the access', () => {
    assert.deepEqual(parseVolumesFrom('db'), { container: 'db', readWrite: true })
    assert.deepEqual(parseVolumesFrom('db:ro,z'), { container: 'db', readWrite: false })
  })

  for (const spec of ['', 'db:shared', 'db:nocopy', 'db:x']) {
    it(`refuses ${JSON.stringify(spec)}`, () => {
      assert.throws(
        () => parseVolumesFrom(spec),
        (error) => isKind(error, 'invalid_argument'),
      )
    })
  }
})

describe('mountOptions()', () => {
  const bind = parseBind('/a:/b:ro', '')

  it('makes read-only recursive where it can', () => {
    assert.deepEqual(mountOptions(bind), ['rbind', 'rro', 'rprivate'])
    assert.deepEqual(mountOptions(bind, false), ['rbind', 'ro', 'rprivate'])
    assert.deepEqual(mountOptions({ ...bind, recursiveReadOnly: 'no' }), ['rbind', 'ro', 'rprivate'])
    assert.deepEqual(mountOptions({ ...bind, recursive: false }), ['bind', 'ro', 'rprivate'])
    assert.deepEqual(mountOptions({ ...bind, readWrite: true, propagation: 'rslave' }), ['rbind', 'rslave'])
  })

  it('refuses required recursion that cannot be had', () => {
    assert.throws(() => mountOptions({ ...bind, recursiveReadOnly: 'required' }, false), /not supported/)
  })
})

describe('tmpfsOptions()', () => {
  it('starts from the defaults; the last word on a matter counts', () => {
    assert.deepEqual(tmpfsOptions([], true), ['noexec', 'nosuid', 'nodev', 'rprivate'])
    assert.deepEqual(tmpfsOptions(['exec', 'size=1m', 'size=2m'], true), [
      'nosuid',
      'nodev',
      'rprivate',
      'exec',
      'size=2m',
    ])
    assert.deepEqual(tmpfsOptions([], false).includes('ro'), true)
  })

  for (const option of ['x', 'size', 'size=', 'mode=9', 'constructor', 'uid=a', 'size=1m exec']) {
    it(`refuses ${option}`, () => {
      assert.throws(() => tmpfsOptions([option], true), { message: `Invalid tmpfs option "${option}"` })
    })
  }
})

describe('BindOptions.IDMap', () => {
  const bind = (more: object) => parseMount({ Type: 'bind', Source: '/a', Target: '/b', BindOptions: more })

  it('is host, or an owner', () => {
    assert.equal(bind({}).idmap, undefined)
    assert.equal(bind({ IDMap: '' }).idmap, undefined)
    for (const idmap of ['host', '1000', '1000:100']) assert.equal(bind({ IDMap: idmap }).idmap, idmap)
  })

  it('is nothing else, and goes with no mount that is shared', () => {
    for (const idmap of ['root', '-1', '1:2:3', '1:'])
      assert.throws(() => bind({ IDMap: idmap }), /invalid idmap/)
    assert.throws(() => bind({ IDMap: 'host', Propagation: 'rshared' }), /cannot be combined/)
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { csvFields } from './csv.ts'
import { parseMount, parseTmpfs, parseVolume } from './mounts.ts'

describe('parseMount()', () => {
  it('reads binds, volumes, tmpfs and images', () => {
    assert.deepEqual(
      parseMount('type=bind,src=./x,dst=/y,ro,bind-propagation=rshared,bind-recursive=disabled', '/w'),
      {
        Type: 'bind',
        Source: '/w/x',
        Target: '/y',
        ReadOnly: true,
        BindOptions: { Propagation: 'rshared', NonRecursive: true },
      },
    )
    assert.deepEqual(
      parseMount('src=v,dst=/y,volume-nocopy,volume-label=a=b,volume-driver=d,volume-opt=o=size=1m', '/'),
      {
        Type: 'volume',
        Source: 'v',
        Target: '/y',
        VolumeOptions: {
          NoCopy: true,
          Labels: { a: 'b' },
          DriverConfig: { Name: 'd', Options: { o: 'size=1m' } },
        },
      },
    )
    assert.deepEqual(parseMount('type=tmpfs,target=/y,tmpfs-size=1m,tmpfs-mode=1777', '/'), {
      Type: 'tmpfs',
      Target: '/y',
      TmpfsOptions: { SizeBytes: 1048576, Mode: 0o1777 },
    })
    assert.deepEqual(parseMount('type=image,src=foo,destination=/x,readonly=false,image-subpath=y', '/'), {
      Type: 'image',
      Source: 'foo',
      Target: '/x',
      ReadOnly: false,
      ImageOptions: { Subpath: 'y' },
    })
  })

  it('says what is wrong', () => {
    const errors: Record<string, RegExp> = {
      'type=volume': /^target is required$/,
      foo: /invalid field 'foo' must be a key=value pair/,
      'foo=1,dst=/x': /unknown option 'foo' in 'foo=1'/,
      'type=tmpfs,dst=/x,bind-propagation=shared': /cannot mix 'bind-\*' options with mount type 'tmpfs'/,
      'type=bind,dst=/x': /source is required/,
      'dst=/x,ro=maybe': /invalid value for ro: maybe/,
      'type=bind,src=/a,dst=/b,bind-recursive=readonly': /requires 'readonly'/,
    }
    for (const [text, message] of Object.entries(errors))
      assert.throws(() => parseMount(text, '/'), { message }, text)
  })

  it('reads whose the files of a bind are', () => {
    const bind = parseMount('type=bind,src=/a,dst=/b,idmap=host', '/')
    assert.deepEqual(bind.BindOptions, { IDMap: 'host' })
    assert.throws(() => parseMount('type=bind,src=/a,dst=/b,idmap=me', '/'), /invalid value for idmap: me/)
    assert.throws(
      () => parseMount('type=volume,src=a,dst=/b,idmap=host', '/'),
      /cannot mix 'bind-\*' options/,
    )
  })

  it('keeps quoted commas, and any text as the source of a volume', () => {
    assert.equal(parseMount('"src=a,b",dst=/x', '/').Source, 'a,b')
    fc.assert(
      fc.property(fc.string(), (source) => {
        const field = `"src=${source.replaceAll('"', '""')}"`
        assert.equal(parseMount(`type=volume,${field},dst=/x`, '/').Source, source)
      }),
    )
  })
})

describe('csvFields()', () => {
  it('is the inverse of quoting', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (fields) => {
        assert.deepEqual(
          csvFields(fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(',')),
          fields,
        )
      }),
    )
    assert.deepEqual(csvFields('a,,b,'), ['a', '', 'b', ''])
    assert.throws(() => csvFields('a"b'), /bare "/)
    assert.throws(() => csvFields('"a'), /extraneous or missing "/)
  })
})

describe('parseVolume()', () => {
  it('tells binds from anonymous volumes, and resolves relative sources', () => {
    assert.deepEqual(parseVolume('/anon', '/w'), { anonymous: '/anon' })
    assert.deepEqual(parseVolume('/a:/b:ro', '/w'), { bind: '/a:/b:ro' })
    assert.deepEqual(parseVolume('./rel:/c', '/w'), { bind: '/w/rel:/c' })
    assert.deepEqual(parseVolume('..:/c', '/w/x'), { bind: '/w:/c' })
    assert.deepEqual(parseVolume('name:/d:nocopy', '/w'), { bind: 'name:/d:nocopy' })
    assert.throws(() => parseVolume('/a:/b:zz:x', '/'), {
      message: 'invalid spec: /a:/b:zz:x: too many colons',
    })
    for (const text of ['', ':', ':/b', 'a', '/a:'])
      assert.throws(() => parseVolume(text, '/'), /invalid/, text)
  })
})

describe('parseTmpfs()', () => {
  it('separates path and options', () => {
    assert.deepEqual(parseTmpfs(['/run:size=1m,mode=755', '/x']), { '/run': 'size=1m,mode=755', '/x': '' })
  })
})

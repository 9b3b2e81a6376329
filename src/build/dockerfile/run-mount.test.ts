import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SyntaxFailure } from './failure.ts'
import { type Mount, mountFrom, parseMount } from './run-mount.ts'

function mount(text: string): Partial<Mount> {
  const parsed = parseMount(text, (value) => value.replaceAll('$V', 'value'))
  return Object.fromEntries(
    Object.entries(parsed).filter(([, value]) => value !== undefined && value !== false),
  )
}

function message(text: string): string {
  try {
    mount(text)
  } catch (error) {
    assert.ok(error instanceof SyntaxFailure)
    return error.message
  }
  assert.fail(`${text} is a mount`)
}

describe('parseMount()', () => {
  it('reads every type with its defaults', () => {
    assert.deepEqual(mount('from=st,source=/a,target=/$V'), {
      type: 'bind',
      from: 'st',
      source: '/a',
      target: '/value',
      readOnly: true,
    })
    assert.deepEqual(mount('type=bind,dst=/b,rw'), { type: 'bind', target: '/b' })
    assert.deepEqual(mount('type=bind,dst=/b,rw=false'), { type: 'bind', target: '/b', readOnly: true })
    assert.deepEqual(mount('type=cache,id=go,destination=/c,sharing=locked,mode=0700,uid=1,gid=2,ro'), {
      type: 'cache',
      id: 'go',
      target: '/c',
      sharing: 'locked',
      mode: 0o700,
      uid: 1,
      gid: 2,
      readOnly: true,
    })
    assert.deepEqual(mount('type=tmpfs,target=/t,size=64m'), {
      type: 'tmpfs',
      target: '/t',
      size: 64 * 1024 ** 2,
    })
    assert.deepEqual(mount('type=secret,id=a,env=A,required'), {
      type: 'secret',
      id: 'a',
      env: 'A',
      required: true,
      readOnly: true,
    })
    assert.deepEqual(mount('required=true,type=ssh,mode=0600'), {
      type: 'ssh',
      required: true,
      mode: 0o600,
      readOnly: true,
    })
    assert.deepEqual(mount('type=bind,"target=/a,b"'), { type: 'bind', target: '/a,b', readOnly: true })
  })

  const errors: Readonly<Record<string, string>> = {
    'type=cahce,target=/x': 'unsupported mount type "cahce" (did you mean cache?)',
    'type=cache,target=/x,sharing=foo': 'unsupported sharing value "foo"',
    'foo=bar': "unexpected key 'foo' in 'foo=bar' (did you mean from?)",
    'type=bind,target': "invalid field 'target' must be a key=value pair",
    'type=bind': 'invalid mount target "/"',
    'type=cache,target=/./': 'invalid mount target "/"',
    'type=bind,target=/x,mode=0755': 'mode not allowed for "bind" type mounts',
    'type=bind,target=/x,required': "unexpected key 'required' for mount type 'bind'",
    'type=cache,target=/x,size=1': "unexpected key 'size' for mount type 'cache'",
    'type=tmpfs,target=/x,size=big': 'invalid value for size: big',
    'type=bind,target=/x,ro=maybe': 'invalid value for ro: maybe',
    'type=cache,target=/x,mode=888': 'invalid value 888 for mode',
    'type=cache,target=/x,uid=4294967296': 'invalid value 4294967296 for uid',
    'type=tmpfs,target=/x,sharing=shared': 'invalid cache sharing set for tmpfs mount',
    'type=secret': 'invalid secret mount. one of source, target required',
    'type=secret,id=a,from=b': 'secret mount should not have a from',
    'type=secret,id=a,source=b': "both source and id can't be set",
    'from=$x,target=/x': "'from' doesn't support variable expansion, define alias stage instead",
    'type=bind,"target':
      'failed to parse csv mounts: quotes in a field are not closed or not around all of it',
  }
  for (const [text, expected] of Object.entries(errors))
    it(`refuses ${text}`, () => assert.equal(message(text), expected))
})

describe('mountFrom()', () => {
  it('is what the mount takes from, before anything is expanded', () => {
    assert.deepEqual(['from=a,target=$X', 'target=/x', 'From=b', 'from='].map(mountFrom), [
      'a',
      undefined,
      'b',
      undefined,
    ])
  })
})

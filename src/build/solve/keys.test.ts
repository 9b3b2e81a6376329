/** CVE-2024-24557: a field that is no part of the key lets one image be taken for another. Every field is tried. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Digest, digestOf } from '#base/digest.ts'
import type {
  BaseImage,
  CopySource,
  CopyStep,
  DirectoryStep,
  FileOrigin,
  Filesystem,
  RunMount,
  RunStep,
  StepLabel,
} from '../graph/operations.ts'
import {
  contentKey,
  definitionKey,
  isIndependent,
  isPinned,
  keyOfImage,
  keyOfScratch,
  type Step,
} from './keys.ts'

const label: StepLabel = {
  name: 'n',
  stage: 's',
  instruction: 'i',
  line: 1,
  args: { A: 'b' },
  uncached: false,
}
const image: BaseImage = {
  kind: 'image',
  name: 'debian',
  id: digestOf('config'),
  layers: [digestOf('layer')],
}
const other: BaseImage = { ...image, id: digestOf('another config') }

const mounts: RunMount[] = [
  { type: 'bind', from: { kind: 'context', name: 'context' }, source: '/a', target: '/b', readOnly: true },
  {
    type: 'cache',
    id: 'c',
    target: '/c',
    sharing: 'locked',
    from: image,
    source: '/d',
    readOnly: false,
    mode: 0o755,
    uid: 1,
    gid: 2,
  },
  { type: 'secret', id: 's', target: '/s', env: 'S', required: true, mode: 0o400, uid: 3, gid: 4 },
  { type: 'ssh', id: 'default', target: '/agent', required: false, mode: 0o600, uid: 5, gid: 6 },
  { type: 'tmpfs', target: '/t', size: 7 },
]

const run: Required<RunStep> = {
  kind: 'run',
  on: image,
  label,
  args: ['/bin/sh', '-c', 'make'],
  env: ['PATH=/bin', 'A=b'],
  proxyEnv: ['http_proxy=x'],
  cwd: '/src',
  user: 'me',
  mounts,
  scripts: [{ name: 'EOF', content: '#!/bin/sh' }],
  network: 'none',
  security: 'sandbox',
  platform: {
    os: 'linux',
    architecture: 'arm',
    variant: 'v7',
    'os.version': '1',
    'os.features': ['x'],
  },
  hostname: 'h',
  extraHosts: ['a:1.2.3.4'],
  limits: { memory: 1 },
}

const sources: CopySource[] = [
  { type: 'files', from: { kind: 'context', name: 'context' }, pattern: 'a', unpack: 'auto' },
  { type: 'files', from: image, pattern: 'b', unpack: 'never' },
  {
    type: 'files',
    from: { kind: 'download', url: 'https://example/x', checksum: digestOf('x') },
    pattern: '.',
    unpack: 'never',
  },
  {
    type: 'files',
    from: {
      kind: 'git',
      remote: 'https://example/x.git',
      ref: 'main',
      directory: 'd',
      checksum: 'abc',
      keepGitDirectory: false,
      submodules: true,
    },
    pattern: '.',
    unpack: 'never',
  },
  { type: 'document', name: 'EOF', content: 'text' },
]

const copy: Required<CopyStep> = {
  kind: 'copy',
  on: image,
  label,
  sources,
  destination: '/srv/',
  owner: 'me:us',
  mode: { type: 'symbolic', changes: [{ who: ['u'], operation: '+', permissions: 'x' }] },
  link: false,
  parents: false,
  exclude: ['*.o'],
}

const directory: Required<DirectoryStep> = { kind: 'directory', on: image, label, path: '/srv', user: 'me' }

/** What is for people, or for the machine that does the step. */
const notPartOfIt = new Set(['label', 'limits', 'proxyEnv'])

function definition(step: Step, taken: Digest | undefined = digestOf('taken')): Digest {
  const definitionOf = (node: Filesystem): Digest =>
    node.kind === 'image' ? keyOfImage(node) : node.kind === 'scratch' ? keyOfScratch(node) : definition(node)
  return definitionKey(step, { definitionOf, taken })
}

function content(step: Step, layers: readonly Digest[] = image.layers, taken = digestOf('taken')): Digest {
  return contentKey(step, { layers, taken })
}

/** The value with one thing in it changed, in every way there is, and where that is. */
function* changesOf(
  value: unknown,
  path: string,
): Generator<{ readonly path: string; readonly value: unknown }> {
  if (typeof value === 'string') yield { path, value: `${value}x` }
  else if (typeof value === 'number') yield { path, value: value + 1 }
  else if (typeof value === 'boolean') yield { path, value: !value }
  else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      yield { path: `${path}[${i}] left out`, value: value.toSpliced(i, 1) }
      for (const change of changesOf(item, `${path}[${i}]`))
        yield { ...change, value: value.with(i, change.value) }
    }
    yield { path: `${path} twice`, value: [...value, ...(value as unknown[])] }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, field] of Object.entries(value)) {
      yield { path: `${path}.${name} undefined`, value: { ...value, [name]: undefined } }
      for (const change of changesOf(field, `${path}.${name}`)) {
        yield { ...change, value: { ...value, [name]: change.value } }
      }
    }
  }
}

/** Each field of the step, changed in every way. */
function* changedSteps(step: Step): Generator<{ readonly path: string; readonly step: Step }> {
  for (const [name, field] of Object.entries(step)) {
    // What it is, and what it stands on, is tried apart.
    if (name === 'kind' || name === 'on') continue
    yield { path: `${name} undefined`, step: { ...step, [name]: undefined } }
    for (const { path, value } of changesOf(field, name)) yield { path, step: { ...step, [name]: value } }
  }
}

describe('definitionKey()', () => {
  for (const step of [run, copy, directory]) {
    it(`is another one for every change of a ${step.kind}, but of what is for people`, () => {
      const key = definition(step)
      const seen = new Map<Digest, string>([[key, 'itself']])
      const tried = new Set<string>()
      for (const { path, step: changed } of changedSteps(step)) {
        const [top = ''] = path.split(/[.[ ]/)
        // The name of an image is for people. Kinds are tried apart.
        if (/^(?:mounts|sources)\[1\]\.from\.name|\.kind/.test(path)) continue
        const changedKey = definition(changed)
        if (notPartOfIt.has(top)) {
          assert.equal(changedKey, key, path)
          continue
        }
        assert.equal(seen.get(changedKey), undefined, `${path} is taken for ${seen.get(changedKey)}`)
        seen.set(changedKey, path)
        tried.add(top)
      }
      const fields = Object.keys(step).filter((name) => !['kind', 'on', ...notPartOfIt].includes(name))
      assert.deepEqual([...tried], fields)
    })
  }

  it('is another one for another kind, filesystem below, or files', () => {
    assert.notEqual(definition(directory), definition({ ...copy, ...directory, kind: 'copy' }))
    assert.notEqual(definition(run), definition({ ...run, on: other }))
    assert.notEqual(definition(run), definition({ ...run, on: { kind: 'scratch' } }))
    assert.notEqual(definition(run), definition({ ...run, on: { ...run, args: ['x'] } }))
    assert.notEqual(definition(run), definition(run, digestOf('other files')))
    assert.notEqual(
      definition(run),
      definition({ ...run, mounts: [{ ...mounts[1], from: other } as RunMount] }),
    )
  })

  it('does not depend on the order of fields', () => {
    const turned = Object.fromEntries(Object.entries(run).reverse()) as unknown as RunStep
    assert.equal(definition(turned), definition(run))
  })

  it('tells fields from one another that would read the same together', () => {
    assert.notEqual(definition({ ...run, args: ['a', 'b'] }), definition({ ...run, args: ['a,b'] }))
    assert.notEqual(
      definition({ ...run, args: ['a'], env: [] }),
      definition({ ...run, args: [], env: ['a'] }),
    )
    assert.notEqual(definition({ ...run, cwd: 'null' }), definition({ ...run, cwd: '' }))
  })

  it('refuses what no key can stand for', () => {
    const hidden = { ...run, hostname: new Map([['a', 'b']]) } as unknown as RunStep
    assert.throws(() => definition(hidden), /no key can stand for/)
  })
})

describe('contentKey()', () => {
  for (const step of [run, copy, directory]) {
    it(`is another one for every change of a ${step.kind}, wherever its files come from`, () => {
      const key = content(step)
      for (const { path, step: changed } of changedSteps(step)) {
        const [top = ''] = path.split(/[.[ ]/)
        const isSame = notPartOfIt.has(top) || /\.from\./.test(path)
        if (path.endsWith('from undefined') || path.includes('.kind')) continue
        assert.equal(content(changed) === key, isSame, path)
      }
    })
  }

  it('is another one for other layers below, or other files', () => {
    assert.notEqual(content(run), content(run, [digestOf('x')]))
    assert.notEqual(content(run), content(run, [...image.layers, digestOf('x')]))
    assert.notEqual(content(run), content(run, image.layers, digestOf('other files')))
  })

  it('is never a definition key', () => {
    assert.notEqual(content(directory), definition(directory))
  })
})

describe('COPY --link', () => {
  it('does not depend on what is below, unless a name is looked up there', () => {
    for (const [owner, isAlone] of [
      [undefined, true],
      ['1', true],
      ['1:2', true],
      [':2', true],
      ['me', false],
      ['1:us', false],
    ] as const) {
      const [one, two] = [image, other].map((on) => ({ ...copy, link: true, owner, on })) as [
        CopyStep,
        CopyStep,
      ]
      assert.equal(isIndependent(one), isAlone, String(owner))
      assert.equal(definition(one) === definition(two), isAlone, String(owner))
      assert.equal(content(one) === content(one, []), isAlone, String(owner))
    }
  })
})

describe('keyOfImage()', () => {
  it('is of the configuration and its layers, not of the name', () => {
    assert.equal(
      keyOfImage(image),
      keyOfImage({ ...image, name: 'x', label: { name: 'x', stage: 'x', line: 1 } }),
    )
    assert.notEqual(keyOfImage(image), keyOfImage(other))
    assert.notEqual(keyOfImage(image), keyOfImage({ ...image, layers: [] }))
  })
})

describe('isPinned()', () => {
  it('is what says itself which bytes it has', () => {
    const download = { kind: 'download', url: 'x' } as const
    const git = {
      kind: 'git',
      remote: 'x',
      directory: undefined,
      checksum: undefined,
      keepGitDirectory: false,
    } as const
    const origins: (readonly [FileOrigin, boolean])[] = [
      [{ kind: 'context', name: 'x' }, false],
      [{ ...download, checksum: undefined }, false],
      [{ ...download, checksum: digestOf('x') }, true],
      [{ ...git, submodules: true, ref: 'main' }, false],
      [{ ...git, submodules: true, ref: 'a'.repeat(40) }, true],
      [{ ...git, submodules: true, ref: 'a'.repeat(39) }, false],
    ]
    for (const [origin, pinned] of origins) {
      assert.ok(origin.kind === 'context' || origin.kind === 'download' || origin.kind === 'git')
      assert.equal(isPinned(origin), pinned)
    }
  })
})

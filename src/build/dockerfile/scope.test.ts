import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Arg } from './instruction.ts'
import { type Dockerfile, parseDockerfile } from './parse.ts'
import { globalScope, PROXY_ARGS, StageScope, unusedBuildArgs } from './scope.ts'

const build = {
  buildPlatform: { os: 'linux', architecture: 'amd64' },
  targetPlatform: { os: 'linux', architecture: 'arm', variant: 'v7' },
}

function declare(scope: StageScope, file: Dockerfile): void {
  for (const instruction of file.stages[0]?.instructions ?? [])
    if (instruction.kind === 'arg') scope.declare(instruction satisfies Arg)
}

describe('globalScope()', () => {
  it('has platforms and the ARGs above FROM, each seeing those before it', () => {
    const file = parseDockerfile('ARG A=1 B=$A-$TARGETARCH\nARG C\nARG TARGETOS\nARG A=${A}2\nFROM x\n')
    const { lookup } = globalScope(file, { ...build, buildArgs: {}, targetStage: 'prod' })
    const values = Object.fromEntries(
      ['A', 'B', 'C', 'TARGETOS', 'TARGETPLATFORM', 'TARGETVARIANT', 'BUILDPLATFORM', 'TARGETSTAGE', 'D'].map(
        (name) => [name, lookup(name)],
      ),
    )
    assert.deepEqual(values, {
      A: '12',
      B: '1-arm',
      C: '',
      TARGETOS: 'linux',
      TARGETPLATFORM: 'linux/arm/v7',
      TARGETVARIANT: 'v7',
      BUILDPLATFORM: 'linux/amd64',
      TARGETSTAGE: 'prod',
      D: undefined,
    })
  })

  it('prefers what --build-arg says, also for platforms', () => {
    const file = parseDockerfile('ARG A=1\nFROM x\n')
    const { lookup } = globalScope(file, {
      ...build,
      buildArgs: { A: 'given', TARGETARCH: 'mine', UNDECLARED: 'x' },
    })
    assert.deepEqual(['A', 'TARGETARCH', 'UNDECLARED', 'toString'].map(lookup), [
      'given',
      'mine',
      undefined,
      undefined,
    ])
  })
})

describe('unusedBuildArgs()', () => {
  it('names what neither the file nor the builder knows', () => {
    const file = parseDockerfile('ARG A\nFROM x\nARG B=1\n')
    const buildArgs = { A: '', B: '', C: '', http_proxy: '', BUILDKIT_INLINE_CACHE: '1', TARGETARCH: '' }
    assert.deepEqual(unusedBuildArgs(file, { ...build, buildArgs }), ['C'])
  })
})

describe('StageScope', () => {
  it('takes --build-arg, then the default, then the global scope', () => {
    const file = parseDockerfile(
      'ARG G=global\nARG D=global\nFROM x\nARG G\nARG D=own\nARG B=own\nARG N\nARG E=$G/$NONE\n',
    )
    const buildArgs = { B: 'given', HIDDEN: 'x' }
    const scope = new StageScope(file, globalScope(file, { ...build, buildArgs }), [['PATH', '/bin']])
    assert.equal(scope.lookup('G'), undefined)
    declare(scope, file)
    assert.deepEqual(Object.fromEntries(scope.variables), {
      PATH: '/bin',
      G: 'global',
      D: 'own',
      B: 'given',
      E: 'global/',
    })
    assert.deepEqual([...scope.args.keys()], ['G', 'D', 'B', 'N', 'E'])
    assert.deepEqual([...scope.environment.keys()], ['PATH'])
    assert.equal(scope.lookup('HIDDEN'), undefined)
  })

  it('lets the later of ENV and ARG win in the build, and ENV alone in the image', () => {
    const file = parseDockerfile('FROM x\nARG A=arg\n')
    const scope = new StageScope(file, globalScope(file, { ...build, buildArgs: {} }))
    scope.set('A', 'env')
    declare(scope, file)
    assert.equal(scope.lookup('A'), 'arg')
    scope.set('A', 'env2')
    assert.equal(scope.lookup('A'), 'env2')
    assert.equal(scope.environment.get('A'), 'env2')
  })

  it('hands everything on to a stage FROM it, and takes nothing back', () => {
    const file = parseDockerfile('FROM x\nARG A=1\nARG BUILDKIT_SBOM_SCAN_STAGE=true\n')
    const scope = new StageScope(file, globalScope(file, { ...build, buildArgs: {} }))
    declare(scope, file)
    const child = scope.fork()
    child.set('B', '2')
    assert.deepEqual([child.lookup('A'), child.lookup('B'), scope.lookup('B')], ['1', '2', undefined])
    assert.equal(child.lookup('BUILDKIT_SBOM_SCAN_STAGE'), undefined)
    assert.equal(child.args.get('BUILDKIT_SBOM_SCAN_STAGE'), 'true')
  })

  it('knows the proxy settings in both cases', () => {
    assert.ok(PROXY_ARGS.has('http_proxy') && PROXY_ARGS.has('HTTPS_PROXY') && PROXY_ARGS.has('all_proxy'))
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError } from '#base/errors.ts'
import { parseDockerfile } from './parse.ts'
import { globalScope } from './scope.ts'
import { findTarget, resolveStages, type StageGraph, stagesFor } from './stages.ts'

const amd64 = { os: 'linux', architecture: 'amd64' }

function graphOf(text: string, contexts: readonly string[] = [], buildArgs = {}): StageGraph {
  const file = parseDockerfile(text)
  const global = globalScope(file, {
    buildArgs,
    buildPlatform: amd64,
    targetPlatform: { os: 'linux', architecture: 'arm64' },
  })
  return resolveStages(file, global, new Set(contexts))
}

function needed(text: string, target?: string): readonly string[] {
  const graph = graphOf(text)
  return stagesFor(graph, findTarget(graph, target)).map(({ name }) => name)
}

function message(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof EngineError)
    assert.equal(error.kind, 'invalid_argument')
    return error.message
  }
  assert.fail('nothing was thrown')
}

describe('resolveStages()', () => {
  it('finds earlier stages, scratch, images and contexts', () => {
    const { stages } = graphOf(
      'ARG V=3\nFROM alpine:$V AS one\nFROM one\nFROM scratch AS three\nFROM one:1\nFROM three AS scratch\nFROM scratch\nFROM tools\n',
      ['tools', 'three'],
    )
    assert.deepEqual(
      stages.map(({ base }) => base.origin),
      [
        { type: 'image', reference: 'alpine:3' },
        { type: 'stage', index: 0 },
        { type: 'scratch' },
        { type: 'image', reference: 'one:1' },
        { type: 'stage', index: 2 },
        { type: 'stage', index: 4 },
        { type: 'context', name: 'tools' },
      ],
    )
    assert.deepEqual(
      stages.map(({ name }) => name),
      ['one', 'stage-1', 'three', 'stage-3', 'scratch', 'stage-5', 'stage-6'],
    )
    assert.equal(stages[2]?.replacedBy, 'three')
  })

  it('knows a context by any name of its image', () => {
    for (const name of ['alpine', 'alpine:latest', 'docker.io/library/alpine'])
      assert.deepEqual(graphOf(`FROM ${name}\n`, ['alpine']).stages[0]?.base.origin, {
        type: 'context',
        name: 'alpine',
      })
    assert.equal(graphOf('FROM alpine:3\n', ['alpine']).stages[0]?.base.origin.type, 'image')
  })

  it('takes platforms from arguments', () => {
    const { stages } = graphOf(
      'FROM --platform=$BUILDPLATFORM a\nFROM --platform=${TARGETPLATFORM} b\nFROM c\n',
    )
    assert.deepEqual(
      stages.map(({ platform }) => platform?.architecture),
      ['amd64', 'arm64', undefined],
    )
    assert.match(
      message(() => graphOf('FROM --platform=a/b/c/d x\n')),
      /failed to parse platform a\/b\/c\/d/,
    )
  })

  it('lists what COPY and mounts take from elsewhere', () => {
    const { stages } = graphOf(
      'FROM a AS one\nFROM b\nCOPY --from=one / /\nCOPY --from=0 / /\nCOPY --from=img:1 / /\nRUN --mount=from=ONE,target=/x --mount=type=cache,target=/y true\n',
    )
    assert.deepEqual(
      stages[1]?.dependencies.map(({ by, name, origin }) => [by, name, origin.type]),
      [
        ['copy', 'one', 'stage'],
        ['copy', '0', 'stage'],
        ['copy', 'img:1', 'image'],
        ['mount', 'ONE', 'stage'],
      ],
    )
  })

  it('refuses bases without a name, stage numbers that are not, and cycles', () => {
    assert.match(
      message(() => graphOf('ARG X\nFROM $X\n')),
      /line 2: base name \(\$X\) should not be blank/,
    )
    assert.match(
      message(() => graphOf('FROM a\nCOPY --from=5 / /\n')),
      /line 2: invalid stage index 5/,
    )
    const upper = message(() => graphOf('FROM a AS Foo\nFROM Foo\n'))
    assert.match(upper, /line 2: failed to parse stage name "Foo": invalid reference format: repository name/)
    assert.match(upper, /Names of stages are lower case/)
    const self = 'FROM a AS b\nFROM a AS c\nCOPY --from=c / /\n'
    assert.match(
      message(() => graphOf(self)),
      /line 3: circular dependency detected on stage: c/,
    )
    const pair = 'FROM a AS b\nCOPY --from=c / /\nFROM b AS c\n'
    assert.match(
      message(() => graphOf(pair)),
      /line 2: circular dependency detected on stage: c/,
    )
  })

  it('survives thousands of stages that need each other', () => {
    const count = 20_000
    const stage = (i: number): string =>
      `FROM scratch AS s${i}\n${i + 1 < count ? `COPY --from=s${i + 1} / /\n` : ''}`
    const graph = graphOf(Array.from({ length: count }, (_, i) => stage(i)).join(''))
    assert.match(
      message(() => stagesFor(graph, findTarget(graph, 's0'))),
      /cannot copy from stage "s1"/,
    )
  })
})

describe('findTarget()', () => {
  it('finds the last, a name in any case, a number', () => {
    const graph = graphOf('FROM a AS one\nFROM b AS two\n')
    const names = [undefined, '', 'ONE', '0', '1'].map((target) => findTarget(graph, target).name)
    assert.deepEqual(names, ['two', 'two', 'one', 'one', 'two'])
  })

  it('suggests what may be meant', () => {
    const text = message(() => findTarget(graphOf('FROM a AS bcd\n'), 'bcf'))
    assert.match(text, /^target stage "bcf" could not be found \(did you mean bcd\?\)\nStages are bcd\./)
  })
})

describe('stagesFor()', () => {
  const text = `FROM x AS base
FROM base AS tools
FROM base AS unused
COPY --from=later / /
FROM base AS app
RUN --mount=from=tools,target=/t true
FROM scratch AS final
COPY --from=app / /
FROM x AS later
`
  it('gives what the target needs, and nothing else', () => {
    assert.deepEqual(needed(text, 'final'), ['base', 'tools', 'app', 'final'])
    assert.deepEqual(needed(text, 'tools'), ['base', 'tools'])
    assert.deepEqual(needed(text), ['later'])
  })

  it('refuses a stage from further down only when it is needed', () => {
    const error = message(() => needed(text, 'unused'))
    assert.match(
      error,
      /line 4: cannot copy from stage "later", it needs to be defined before current stage "unused"/,
    )
    assert.match(error, /4 \| >>> COPY --from=later/)
  })
})

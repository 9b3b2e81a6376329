import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { listTargets, outlineOf } from './outline.ts'
import { parseDockerfile } from './parse.ts'
import { globalScope } from './scope.ts'
import { findTarget, resolveStages } from './stages.ts'

const text = `# G is for all
ARG G=1
ARG UNUSED=1
# base is the base

FROM scratch AS base
# A does
ARG A=\${G}x
ENV E=secret-id
FROM base AS two
ARG G
ARG B
RUN --mount=type=secret,id=$E,required --mount=type=ssh --mount=type=secret,target=/run/secrets/other true
FROM scratch
ARG OTHER
`

describe('listTargets()', () => {
  it('gives the stages with what is said about them', () => {
    assert.deepEqual(
      listTargets(parseDockerfile(text)).map(({ name, description, isDefault, base }) => [
        name,
        description,
        isDefault,
        base,
      ]),
      [
        ['base', 'is the base', false, 'scratch'],
        ['two', undefined, false, 'base'],
        [undefined, undefined, true, 'scratch'],
      ],
    )
  })
})

describe('outlineOf()', () => {
  it('gives what can be given to the stages of a target', () => {
    const file = parseDockerfile(text)
    const platform = { os: 'linux', architecture: 'amd64' }
    const global = globalScope(file, {
      buildArgs: { B: 'given' },
      buildPlatform: platform,
      targetPlatform: platform,
    })
    const graph = resolveStages(file, global)
    const { args, secrets, ssh } = outlineOf(graph, global, findTarget(graph, 'two'))
    assert.deepEqual(
      args.map(({ name, value, description, range }) => [name, value, description, range.start.line]),
      [
        ['A', 'x', 'does', 8],
        ['G', '1', 'is for all', 2],
        ['B', 'given', undefined, 12],
      ],
    )
    assert.deepEqual(
      secrets.map(({ id, required }) => [id, required]),
      [
        ['secret-id', true],
        ['other', false],
      ],
    )
    assert.deepEqual(
      ssh.map(({ id }) => id),
      ['default'],
    )
  })
})

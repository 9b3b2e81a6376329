import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { EngineError } from '#base/errors.ts'
import { expandInstruction, expandMounts } from './expand-instruction.ts'
import type { Instruction } from './instruction.ts'
import { type Dockerfile, parseDockerfile } from './parse.ts'
import { parsePorts } from './ports.ts'
import { globalScope, StageScope } from './scope.ts'

const GOLDEN = join(import.meta.dirname, '../../../test/golden/dockerfile/expansion')
const amd64 = { os: 'linux', architecture: 'amd64' }

function first(file: Dockerfile): Instruction {
  const instruction = file.stages[0]?.instructions[0]
  assert.ok(instruction !== undefined)
  return instruction
}

function expand(text: string, variables: Readonly<Record<string, string>> = {}): Instruction {
  const file = parseDockerfile(text)
  return expandInstruction(file, first(file), (name) => variables[name])
}

/** What a configuration takes from the instructions, in Docker's form. */
function configOf(text: string): Readonly<Record<string, unknown>> {
  const file = parseDockerfile(text)
  const global = globalScope(file, { buildArgs: {}, buildPlatform: amd64, targetPlatform: amd64 })
  const scope = new StageScope(file, global, [
    ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ])
  const config: Record<string, unknown> = {}
  const [ports, volumes, labels] = [new Set<string>(), new Set<string>(), new Map<string, string>()]
  for (const instruction of file.stages[0]?.instructions ?? []) {
    const expanded = expandInstruction(file, instruction, scope.lookup)
    if (expanded.kind === 'arg') scope.declare(expanded)
    else if (expanded.kind === 'env') for (const { key, value } of expanded.pairs) scope.set(key, value)
    else if (expanded.kind === 'label') for (const { key, value } of expanded.pairs) labels.set(key, value)
    else if (expanded.kind === 'expose')
      for (const port of expanded.ports.flatMap(parsePorts)) ports.add(port)
    else if (expanded.kind === 'volume') for (const path of expanded.paths) volumes.add(path)
    else if (expanded.kind === 'user') config['User'] = expanded.value
    else if (expanded.kind === 'stopsignal') config['StopSignal'] = expanded.value
    else if (expanded.kind === 'onbuild') config['OnBuild'] = [expanded.expression]
    else if (expanded.kind === 'shell') config['Shell'] = expanded.shell
  }
  const keys = (names: Iterable<string>): unknown =>
    Object.fromEntries([...names].toSorted().map((name) => [name, {}]))
  const env = Array.from(scope.environment, ([name, value]) => `${name}=${value}`)
  return {
    ...config,
    Env: env,
    ExposedPorts: keys(ports),
    Volumes: keys(volumes),
    Labels: Object.fromEntries(labels),
  }
}

describe('expandInstruction()', () => {
  it('gives the configuration that Docker 28.5 gives', () => {
    const docker = JSON.parse(readFileSync(join(GOLDEN, 'docker.json'), 'utf8')) as Record<string, unknown>
    const ours = configOf(readFileSync(join(GOLDEN, 'Dockerfile'), 'utf8'))
    for (const [key, value] of Object.entries(ours)) assert.deepEqual(value, docker[key], key)
  })

  it('expands paths, owners, modes, patterns and heredocs of COPY and ADD', () => {
    const text = `FROM a
COPY --chown=$U:g --chmod=$M --exclude=$P <<A <<'B' "$F" $D/
$U "$U" \\$U
A
$U
B
`
    const copy = expand(text, { U: 'u', M: '644', P: '*.md', F: 'a b', D: '/d' })
    assert.ok(copy.kind === 'copy')
    const { chown, chmod, exclude, sources, destination, documents } = copy
    assert.deepEqual(
      { chown, chmod, exclude, sources, destination },
      { chown: 'u:g', chmod: '644', exclude: ['*.md'], sources: ['a b'], destination: '/d/' },
    )
    assert.deepEqual(
      documents.map(({ content }) => content),
      ['u "u" $U\n', '$U\n'],
    )
  })

  it('leaves commands to the shell', () => {
    for (const line of [
      'RUN echo $A "b"',
      'CMD echo $A',
      'ENTRYPOINT ["$A"]',
      'HEALTHCHECK CMD $A',
      'SHELL ["$A"]',
      'MAINTAINER $A',
      'ONBUILD ENV A=$A',
    ]) {
      const file = parseDockerfile(`FROM a\n${line}\n`)
      assert.equal(
        expandInstruction(file, first(file), () => 'x'),
        first(file),
      )
    }
  })

  it('says where a value is wrong that only expansion shows', () => {
    const wrong: readonly (readonly [line: string, message: RegExp])[] = [
      ['EXPOSE $V', /line 2: invalid containerPort: nonsense/],
      ['STOPSIGNAL $V', /invalid signal: nonsense/],
      ['COPY --chmod=$V a b', /invalid chmod value "nonsense"/],
      ['ADD --checksum=$V https://a b', /invalid checksum digest format/],
      ['ADD --checksum=0123456789 a.git b.git c', /checksum can't be specified for multiple sources/],
      ['VOLUME $NONE', /VOLUME specified can not be an empty string/],
      ['ENV $NONE=x', /ENV names can not be blank/],
      ['LABEL a=${V:?}${NONE:?"is needed"}', /NONE: is needed/],
    ]
    for (const [line, message] of wrong)
      assert.throws(
        () => expand(`FROM a\n${line}\n`, { V: 'nonsense' }),
        (error) =>
          error instanceof EngineError &&
          message.test(error.message) &&
          error.message.includes(`>>> ${line}`),
        line,
      )
  })
})

describe('expandMounts()', () => {
  it('puts variables into options', () => {
    const file = parseDockerfile(
      'FROM a\nRUN --mount=type=cache,target=$T,id=${I:-def} --mount=type=$K,target=/x true\n',
    )
    const run = first(file)
    assert.ok(run.kind === 'run')
    const variables: Readonly<Record<string, string>> = { T: '/c', K: 'tmpfs' }
    const mounts = expandMounts(file, run, (name) => variables[name])
    assert.deepEqual(
      mounts.map(({ type, target, id }) => [type, target, id]),
      [
        ['cache', '/c', 'def'],
        ['tmpfs', '/x', undefined],
      ],
    )
    assert.throws(
      () => expandMounts(file, run, () => ''),
      /line 2: unsupported mount type ""|line 2: invalid mount target/,
    )
  })
})

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { EngineError } from '#base/errors.ts'
import type { Instruction } from './instruction.ts'
import { modelOf } from './model.fixture.ts'
import { lint } from './lint.ts'
import { type Dockerfile, parseDockerfile, parseTrigger } from './parse.ts'
import { globalScope } from './scope.ts'
import { findTarget, resolveStages, stagesFor } from './stages.ts'

const GOLDEN = join(import.meta.dirname, '../../../test/golden/dockerfile')

function failure(text: string): EngineError {
  try {
    parseDockerfile(text, 'My.Dockerfile')
  } catch (error) {
    assert.ok(error instanceof EngineError)
    return error
  }
  assert.fail('it parsed')
}

/** All that can go wrong before anything is built. */
function everything(text: string): void {
  const file = parseDockerfile(text)
  const platform = { os: 'linux', architecture: 'amd64' }
  const build = { buildArgs: {}, buildPlatform: platform, targetPlatform: platform }
  const graph = resolveStages(file, globalScope(file, build))
  stagesFor(graph, findTarget(graph, undefined))
  lint({ file, build })
}

function reason(error: EngineError): unknown {
  return error.details['message']
}

function only(text: string): Instruction {
  const instruction = parseDockerfile(`FROM a\n${text}`).stages[0]?.instructions[0]
  assert.ok(instruction !== undefined)
  return instruction
}

describe('parseDockerfile()', () => {
  // To write the models anew: UPDATE_GOLDEN=1 node --test src/build/dockerfile/parse.test.ts
  for (const name of readdirSync(GOLDEN).filter((file) => file.endsWith('.Dockerfile'))) {
    it(`gives the model of golden/dockerfile/${name}`, () => {
      const model = modelOf(parseDockerfile(readFileSync(join(GOLDEN, name), 'utf8'), name))
      const file = join(GOLDEN, name.replace('.Dockerfile', '.json'))
      if (process.env['UPDATE_GOLDEN'] === '1')
        writeFileSync(file, `${JSON.stringify(model, undefined, 2)}\n`)
      assert.deepEqual(model, JSON.parse(readFileSync(file, 'utf8')))
    })
  }

  it('says where a mistake is, shows the line, and what to do', () => {
    const error = failure('FROM a\n\nRUN x \\\n  y\nCOPY --form=b \\\n  c d\nUSER x\n')
    assert.equal(
      error.message,
      `dockerfile parse error on line 5: unknown flag: --form (did you mean from?)
Its flags are --from, --chown, --chmod, --link, --parents, --exclude.
My.Dockerfile:5
--------------------
   3 |     RUN x \\
   4 |       y
   5 | >>> COPY --form=b \\
   6 |       c d
   7 |     USER x
--------------------`,
    )
    assert.equal(error.code, 'DOCKERFILE_INVALID')
    const { file, line, column, end } = error.details
    assert.deepEqual(
      { file, line, column, end },
      { file: 'My.Dockerfile', line: 5, column: 6, end: { line: 5, column: 14 } },
    )
  })

  it('knows places over continuations, tabs and a byte order mark', () => {
    const { stages } = parseDockerfile('\ufeffFROM a\r\n\tENV a=1 \\\r\n# no\r\n\r\n   bc=2\r\n')
    const [env] = stages[0]?.instructions ?? []
    assert.deepEqual(
      env?.args.map(({ range }) => range),
      [
        { start: { line: 2, column: 6 }, end: { line: 2, column: 9 } },
        { start: { line: 5, column: 4 }, end: { line: 5, column: 8 } },
      ],
    )
    assert.deepEqual(env?.range, { start: { line: 2, column: 2 }, end: { line: 5, column: 8 } })
    assert.equal(env?.emptyContinuations[0]?.start.line, 4)
    assert.deepEqual(stages[0]?.from.keyword.range.start, { line: 1, column: 2 })
  })

  it('knows where heredocs are', () => {
    const run = only('RUN cat <<A 3<<-B\n1\nA\n\t2\n\tB\n')
    assert.ok(run.kind === 'run')
    assert.deepEqual(
      run.heredocs.map(({ name, content, fileDescriptor, chomp, range }) => [
        name,
        content,
        fileDescriptor,
        chomp,
        range.start.line,
        range.end.line,
      ]),
      [
        ['A', '1\n', 0, false, 3, 4],
        ['B', '\t2\n', 3, true, 5, 6],
      ],
    )
    assert.deepEqual([run.range.start.line, run.range.end], [2, { line: 6, column: 3 }])
  })

  it('refuses lines of 64 KiB and more, and shows long ones in part', () => {
    assert.equal(parseDockerfile(`FROM a\nRUN ${'x'.repeat(65_531)}\n`).stages.length, 1)
    const error = failure(`FROM a\nRUN ${'x'.repeat(65_532)}\n`)
    assert.match(error.message, /line 2: dockerfile line greater than max allowed size of 65535/)
    assert.ok(error.message.length < 1000)
  })

  it('is not slowed by hostile files', () => {
    const start = performance.now()
    const blanks = '\r'.repeat(60_000)
    for (const text of [
      `FROM a\nENV a=1\\\n${' b=2\\\n'.repeat(30_000)}\n`,
      `FROM a\nRUN x${blanks}y\n`,
      `# a${' '.repeat(60_000)}=x\nFROM a\n`,
      `FROM a\nRUN ${'<<'.repeat(20_000)}\n`,
      `FROM a\nRUN ${'['.repeat(60_000)}\n`,
      `FROM a\nCOPY ${'"'.repeat(30_000)} ${'\\'.repeat(30_000)}\n`,
    ])
      try {
        parseDockerfile(text)
      } catch (error) {
        assert.ok(error instanceof EngineError)
      }
    assert.ok(performance.now() - start < 5000)
  })
})

describe('errors beside Docker', () => {
  interface Case {
    readonly dockerfile: string
    /** What Docker 28.5 says; null if it builds. */
    readonly docker: string | null
    /** What berth says, where that differs. */
    readonly berth?: string | null
  }
  const cases = JSON.parse(readFileSync(join(GOLDEN, 'errors.json'), 'utf8')) as readonly Case[]
  for (const { dockerfile, docker, berth = docker } of cases)
    it(`says ${berth} for ${JSON.stringify(dockerfile)}`, () => {
      if (berth === null) assert.doesNotThrow(() => everything(dockerfile))
      else
        assert.throws(
          () => everything(dockerfile),
          (error) => error instanceof EngineError && reason(error) === berth,
        )
    })
})

describe('parseTrigger()', () => {
  it('reads what an image keeps, heredocs included', () => {
    const file: Dockerfile = parseDockerfile('FROM a\nONBUILD  COPY --link <<E /x\nbody\nE\n')
    const [onbuild] = file.stages[0]?.instructions ?? []
    assert.ok(onbuild?.kind === 'onbuild')
    assert.equal(onbuild.expression, 'COPY --link <<E /x\nbody\nE')
    const trigger = parseTrigger(onbuild.expression)
    assert.ok(trigger.kind === 'copy')
    assert.deepEqual(
      [trigger.link, trigger.documents],
      [true, [{ name: 'E', expand: true, content: 'body\n' }]],
    )
  })

  it('refuses anything else', () => {
    for (const text of ['', 'RUN a\nRUN b', 'FROM a', 'ONBUILD RUN a', 'FORM x'])
      assert.throws(() => parseTrigger(text), EngineError, text)
  })
})

import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { BuildMiss, BuildUpdate } from '#api/build-updates.ts'
import { EngineError } from '#base/errors.ts'
import { DAEMON_ERROR } from '#client/errors.ts'
import { columnsOf } from '../../format/width.ts'
import { BuildState } from './build-state.ts'
import { explainText } from './explain.ts'
import { failureText } from './failure.ts'
import { PlainProgress } from './plain.ts'
import { rawJsonLine } from './raw-json.ts'
import { frame, type View } from './tty.ts'
import { count, failing, log, nowAt, twoStages, vertex } from './updates.fixture.ts'
import { warningsText } from './warnings.ts'

const golden = join(import.meta.dirname, '../../../../test/golden/build-progress')
/** `UPDATE_GOLDEN=1` writes the files anew; then read what changed. */
const update = process.env['UPDATE_GOLDEN'] === '1'

function check(name: string, text: string): void {
  const file = join(golden, `${name}.txt`)
  if (update || !existsSync(file)) writeFileSync(file, text)
  assert.equal(text, readFileSync(file, 'utf8'), `differs from ${file}`)
}

type Timed = readonly (readonly [number, BuildUpdate])[]

function plain(updates: Timed): string {
  const state = new BuildState()
  const progress = new PlainProgress(state)
  const texts = updates.map(([at, each]) => progress.show(each, state.add(each), nowAt(at)))
  return texts.join('') + progress.end()
}

function stateAt(updates: Timed, until: number): BuildState {
  const state = new BuildState()
  for (const [at, each] of updates) if (at <= until) state.add(each)
  return state
}

const view: View = {
  columns: 80,
  now: nowAt(0),
  began: nowAt(0),
  finished: false,
  paint: (_, text) => text,
}

function picture(updates: Timed, at: number, more: Partial<View> = {}): string {
  const lines = frame(stateAt(updates, at), { ...view, now: nowAt(at), ...more })
  return lines.map((line) => `${line}\n`).join('')
}

describe('plain progress', () => {
  it('looks as in its golden files', () => {
    check('plain', plain(twoStages))
    check('plain-failing', plain(failing))
  })

  it('lets one step speak until it has ended', () => {
    const text = plain(twoStages)
    const headings = [...text.matchAll(/^#(\d+) \[/gm)].map(([, number]) => number)
    assert.deepEqual(headings, [...new Set(headings)], 'no step is announced twice')
  })

  it('gives the floor to another after five seconds, and says that there is more to come', () => {
    const text = plain([
      [0, vertex('1', '[a 1/1] RUN a', { from: 0 })],
      [1, vertex('2', '[b 1/1] RUN b', { from: 0 })],
      [100, log('1', 'a\n', 100)],
      [200, log('2', 'b\n', 200)],
      [6000, log('1', 'more of a\n', 6000)],
      [12000, log('1', 'even more of a\n', 12000)],
    ])
    assert.equal(
      text,
      `#1 [a 1/1] RUN a
#1 0.100 a
#1 6.000 more of a
#1 ...

#2 [b 1/1] RUN b
#2 0.200 b
#2 ...

#1 [a 1/1] RUN a
#1 12.000 even more of a
#1 CANCELED

#2 [b 1/1] RUN b
#2 CANCELED
`,
    )
  })

  it('tells what is counted now and then, and at its end', () => {
    const updates = Array.from(
      { length: 101 },
      (_, i) => [i * 100, count('1', 'layer', i, { total: 100 })] as const,
    )
    const text = plain([
      [0, vertex('1', 'pull', { from: 0 })],
      ...updates,
      [10_100, vertex('1', 'pull', { from: 0, to: 10_100 })],
    ])
    assert.equal(
      text,
      '#1 pull\n#1 layer: 50B / 100B\n#1 layer: 100B / 100B\n#1 layer: 100B / 100B done\n#1 DONE 10.1s\n',
    )
  })
})

describe('progress on a terminal', () => {
  it('looks as in its golden files', () => {
    check('tty-running', picture(twoStages, 1000))
    check('tty-finished', picture(twoStages, 2220, { finished: true }))
    check('tty-narrow', picture(twoStages, 1000, { columns: 40 }))
    check('tty-failing', picture(failing, 1100, { finished: true }))
  })

  it('never is wider or higher than its room, whatever the room', () => {
    for (const [at] of twoStages) {
      for (let columns = 1; columns < 120; columns += 7) {
        for (let rows = 1; rows < 24; rows++) {
          const state = stateAt(twoStages, at)
          const lines = frame(state, { ...view, now: nowAt(at), columns, rows })
          assert.ok(lines.length <= rows, `${lines.length} lines in ${rows} rows`)
          for (const line of lines) assert.ok(columnsOf(line) < Math.max(columns, 2), `${line} in ${columns}`)
        }
      }
    }
  })

  it('shows a bar that goes on, and words that wait for their end', () => {
    const bar: Timed = [
      [0, vertex('1', '[1/1] RUN fetch', { from: 0 })],
      [10, log('1', 'fetching\n10%\r', 10)],
      [20, log('1', '20%\r', 20)],
      [30, log('1', '30%', 30)],
    ]
    assert.match(picture(bar, 20), / => => # fetching\n => => # 20%\n$/)
    assert.match(picture(bar, 30), / => => # fetching\n => => # 30%\n$/)
  })

  it('does not keep what was overwritten, or never has an end', () => {
    const state = stateAt([[0, vertex('1', 'x', { from: 0 })]], 0)
    for (let i = 0; i < 1000; i++) state.add(log('1', `${i}%\r`, i))
    const [step] = state.begun
    assert.equal(step?.unfinished, '999%')
    for (let i = 0; i < 40; i++) state.add(log('1', 'x'.repeat(1000), i))
    assert.ok((step?.unfinished ?? '').length <= 16_384)
    assert.equal(step?.lines.length, 2)
  })

  it('leaves out output first, and then what ended first', () => {
    const low = picture(twoStages, 1000, { rows: 4 })
    assert.match(low, /RUN apt-get/)
    assert.match(low, /RUN mkdocs/)
    assert.match(low, /FROM/)
    assert.doesNotMatch(low, /Building$|Get:1|load build context/m)
  })

  it('shows at the end all there was', () => {
    const end = picture(twoStages, 2220, { finished: true })
    for (const [, each] of twoStages) {
      if (each.type === 'vertex') assert.ok(end.includes(each.name.split(/\s/, 3).join(' ')), each.name)
    }
  })
})

describe('rawjson', () => {
  it('looks as in its golden file', () => {
    const range = { start: { line: 3, column: 1 }, end: { line: 3, column: 9 } }
    const warning = { rule: 'Rule', message: 'said', description: 'more', range, excerpt: '' }
    const id = `sha256:${'1'.repeat(64)}` as const
    const lines = [
      ...twoStages.map(([at, each]) => rawJsonLine(each, nowAt(at))),
      rawJsonLine({ type: 'warning', vertex: id, warning }, nowAt(0)),
    ]
    check('rawjson', lines.join(''))
  })

  it("says nothing of what BuildKit's form does not have", () => {
    const miss: BuildMiss = { step: 'a', line: 1, reason: 'new' }
    assert.equal(rawJsonLine({ type: 'explanation', vertex: `sha256:${'1'.repeat(64)}`, miss }, 0), '')
  })
})

describe('the end of a build', () => {
  const dockerfile = { name: 'Dockerfile', text: 'FROM busybox\nRUN make \\\n  all\nCMD x\n' }
  const state = stateAt(failing, 1100)

  it('that failed shows step, last lines, place and reason', () => {
    const message = 'process "/bin/sh -c make" did not complete successfully: exit code: 2'
    const error = new EngineError('invalid_argument', `[2/2] RUN make (line 2): ${message}\n  | line 14`, {
      code: DAEMON_ERROR,
      details: { message, step: '[2/2] RUN make', line: 2, output: 'line 14' },
    })
    check('failure', failureText(state, error, dockerfile))
  })

  it('that failed shows the end of the output that the engine knows, when it did not come here', () => {
    const details = { message: 'x', line: 2, output: 'first\nthe real end' }
    const text = failureText(state, new EngineError('internal', 'x', { code: DAEMON_ERROR, details }))
    assert.match(text, / > \[2\/2\] RUN make:\nfirst\nthe real end\n------\n/)
  })

  it('gives the terminal no command that a Dockerfile has in it, and says what helps', () => {
    const raw =
      'unknown instruction: \u001b[31mX\u0007\nDockerfile:1\n--------------------\n   1 | >>> \u001b[31mX\u0007\n--------------------'
    const error = new EngineError('invalid_argument', raw, { code: DAEMON_ERROR })
    assert.equal(
      failureText(new BuildState(), error),
      'Dockerfile:1\n--------------------\n   1 | >>> \ufffd[31mX\ufffd\n--------------------\nERROR: failed to build: failed to solve: unknown instruction: \ufffd[31mX\ufffd\n',
    )
    const details = { code: 'BUILD_SECRET_MISSING', id: 'key' }
    const missing = new EngineError('not_found', 'secret key: not found', { code: DAEMON_ERROR, details })
    assert.match(
      failureText(new BuildState(), missing),
      /secret key: not found\nGive it with --secret id=key,src=FILE\.\n$/,
    )
  })

  it('with a mistake in the Dockerfile shows the place that the engine has found', () => {
    const message =
      'dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)\nCorrect it.\nDockerfile:2\n--------------------\n   1 |     FROM x\n   2 | >>> RUNN\n--------------------'
    const details = { file: 'Dockerfile', line: 2, column: 1, message: 'unknown instruction: RUNN' }
    const error = new EngineError('invalid_argument', message, { code: DAEMON_ERROR, details })
    assert.equal(
      failureText(new BuildState(), error, dockerfile),
      `Dockerfile:2
--------------------
   1 |     FROM x
   2 | >>> RUNN
--------------------
ERROR: failed to build: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)
Correct it.
`,
    )
  })

  it('shows the line alone when the file is no Dockerfile any more', () => {
    const details = { message: 'x', step: 'y', line: 1 }
    const error = new EngineError('internal', 'y (line 1): x', { code: DAEMON_ERROR, details })
    assert.match(
      failureText(state, error, { name: 'D', text: 'nonsense' }),
      /D:1\n.*\n {3}1 \| >>> nonsense\n/,
    )
  })

  it('that failed without a place is one line', () => {
    assert.equal(failureText(new BuildState(), new Error('disk full')), 'ERROR: failed to build: disk full\n')
    const beyond = new EngineError('internal', 'x', {
      code: DAEMON_ERROR,
      details: { message: 'x', line: 99 },
    })
    assert.equal(
      failureText(new BuildState(), beyond, dockerfile),
      'ERROR: failed to build: failed to solve: x\n',
    )
  })

  it('lists what the checks have found', () => {
    const range = { start: { line: 3, column: 1 }, end: { line: 3, column: 9 } }
    const warning = { rule: 'StageNameCasing', message: 'said', description: 'why', range, excerpt: '' }
    assert.equal(warningsText([]), '')
    assert.match(warningsText([warning]), /^\n 1 warning found/)
    assert.match(
      warningsText([warning, warning]),
      /2 warnings found.*\n - StageNameCasing: said \(line 3\)\n   why\n/,
    )
  })
})

describe('explainText()', () => {
  const sha = (digit: string): string => `sha256:${digit.repeat(64)}`
  const step = '[2/3] RUN make'
  const cases: readonly (readonly [Omit<BuildMiss, 'step' | 'line'>, string])[] = [
    [
      { reason: 'file', subject: 'src/main.c', before: sha('1'), after: sha('2'), more: 2 },
      'file src/main.c changed (111111111111 → 222222222222), and 2 more files',
    ],
    [{ reason: 'file', subject: 'new.c', after: sha('2') }, 'file new.c is new (222222222222)'],
    [
      { reason: 'file', subject: 'old.c', before: sha('1'), more: 1 },
      'file old.c is gone (was 111111111111), and 1 more file',
    ],
    [
      { reason: 'argument', subject: 'VERSION', before: '1', after: '2' },
      'argument VERSION changed ("1" → "2")',
    ],
    [{ reason: 'instruction', before: 'RUN a', after: 'RUN b' }, 'the instruction changed: RUN a → RUN b'],
    [{ reason: 'instruction', subject: 'WORKDIR', before: '/a', after: '/b' }, 'WORKDIR changed: /a → /b'],
    [{ reason: 'parent', subject: '[1/3] FROM x' }, 'what it builds on was done again: [1/3] FROM x'],
    [
      { reason: 'image', subject: 'busybox', before: sha('1'), after: sha('2') },
      'image busybox changed (111111111111 → 222222222222)',
    ],
    [{ reason: 'disabled' }, 'the cache was not to be used'],
    [{ reason: 'evicted' }, 'its result was removed from the cache'],
    [{ reason: 'new' }, 'nothing like it was built before'],
  ]
  for (const [miss, words] of cases) {
    it(`says ${miss.reason} ${miss.subject ?? ''}`, () => {
      assert.equal(explainText([{ step, line: 2, ...miss }]), `${step}: ${words}\n`)
    })
  }

  it('says so when nothing was done again', () => {
    assert.equal(explainText([]), 'Every step was taken from the cache.\n')
  })
})

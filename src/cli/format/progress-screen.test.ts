import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it, mock } from 'node:test'
import type { Output } from '../io.ts'
import { ProgressScreen } from './progress-screen.ts'

/** As much of a terminal as progress needs: it wraps, scrolls, and knows the sequences that move and erase. */
class TinyTerminal extends EventEmitter {
  readonly isTTY = true
  columns: number
  rows: number
  /** Everything, with what scrolled away. */
  readonly lines: string[] = ['']
  #row = 0
  #column = 0

  constructor(columns: number, rows: number) {
    super()
    this.columns = columns
    this.rows = rows
  }

  get text(): string {
    return this.lines.join('\n').trimEnd()
  }

  write(text: string): boolean {
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    for (const [part] of text.matchAll(/\u001b\[\d*[A-Z]|[^]/g)) this.#put(part)
    return true
  }

  #put(part: string): void {
    const top = Math.max(0, this.lines.length - this.rows)
    if (part === '\r') this.#column = 0
    else if (part === '\n') this.#down()
    else if (part.endsWith('A') && part.length > 1) {
      this.#row = Math.max(top, this.#row - Number(part.slice(2, -1)))
    } else if (part === '\u001b[K') this.#set((line) => line.slice(0, this.#column))
    else if (part === '\u001b[J') {
      this.#set((line) => line.slice(0, this.#column))
      for (let row = this.#row + 1; row < this.lines.length; row++) this.lines[row] = ''
    } else {
      if (this.#column === this.columns) this.#down()
      this.#set(
        (line) => line.padEnd(this.#column).slice(0, this.#column) + part + line.slice(this.#column + 1),
      )
      this.#column += 1
    }
  }

  #down(): void {
    this.#row += 1
    this.#column = 0
    this.lines[this.#row] ??= ''
  }

  #set(change: (line: string) => string): void {
    this.lines[this.#row] = change(this.lines[this.#row] ?? '')
  }
}

function screenOf(columns: number, rows: number): { screen: ProgressScreen; terminal: TinyTerminal } {
  const terminal = new TinyTerminal(columns, rows)
  return { screen: new ProgressScreen(terminal as unknown as Output), terminal }
}

const downloading = (id: string, current: number, total: number): object => ({
  id,
  status: 'Downloading',
  progressDetail: { current, total },
})

describe('ProgressScreen', () => {
  it('changes the lines of layers in place, with bars below each other', () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const { screen, terminal } = screenOf(70, 24)
      screen.show({ id: 'latest', status: 'Pulling from library/demo' })
      screen.show(downloading('aaa', 1e6, 10e6))
      screen.show({ id: 'bbb', status: 'Waiting' })
      mock.timers.tick(1000)
      assert.equal(
        terminal.text,
        'latest: Pulling from library/demo\naaa: Downloading [===>                              ]     1MB/10MB\nbbb: Waiting',
      )
      screen.show({ id: 'bbb', status: 'Extracting', progressDetail: { current: 5e6, total: 5e6 } })
      screen.show({ id: 'aaa', status: 'Pull complete' })
      mock.timers.tick(1000)
      assert.equal(
        terminal.text,
        'latest: Pulling from library/demo\naaa: Pull complete\nbbb: Extracting  [==================================]     5MB/5MB',
      )
      screen.show({ status: 'Status: done' })
      screen[Symbol.dispose]()
      assert.equal(terminal.lines.at(-2), 'Status: done')
      assert.equal(terminal.listenerCount('resize'), 0)
    } finally {
      mock.timers.reset()
    }
  })

  it('cuts instead of wrapping, and shows sizes or percents where no bar fits', () => {
    for (const [columns, expected] of [
      [40, 'aaaaaaaaaaaa: Downloading 12.5MB/50MB'],
      [34, 'aaaaaaaaaaaa: Downloading 25%'],
      [20, 'aaaaaaaaaaaa: Down…'],
      [1, ''],
    ] as const) {
      const { screen, terminal } = screenOf(columns, 24)
      screen.show(downloading('aaaaaaaaaaaa', 12.5e6, 50e6))
      screen[Symbol.dispose]()
      assert.equal(terminal.text, expected)
    }
  })

  it('shows what moves when there are more layers than rows, and all of them at the end', () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const { screen, terminal } = screenOf(60, 5)
      for (let i = 0; i < 8; i++)
        screen.show({ id: `layer${i}`, status: i < 3 ? 'Pull complete' : 'Waiting' })
      screen.show({ id: 'layer7', status: 'Downloading', progressDetail: { current: 5 } })
      mock.timers.tick(1000)
      const shown = [
        'layer3: Waiting',
        'layer4: Waiting',
        'layer7: Downloading 5B',
        '… and 5 more, 3 of them done',
      ]
      assert.equal(terminal.text, shown.join('\n'))
      for (let i = 0; i < 8; i++) screen.show({ id: `layer${i}`, status: 'Pull complete' })
      screen[Symbol.dispose]()
      const all = Array.from({ length: 8 }, (_, i) => `layer${i}: Pull complete`)
      assert.equal(terminal.text, all.join('\n'))
    } finally {
      mock.timers.reset()
    }
  })

  it('does not pass on what a terminal would take for a command', () => {
    const { screen, terminal } = screenOf(60, 5)
    screen.show({ status: 'a\u001b[2Jb\u0007' })
    screen.show({ id: 'x', status: '\u009b31mred' })
    screen[Symbol.dispose]()
    assert.equal(terminal.text, 'a [2Jb\nx:  31mred')
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { runCli } from '#test/support/cli.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'
import { each, eachInTurn } from './each.ts'

describe('commands for several objects', () => {
  const { signal } = new AbortController()

  it('are done one after the other where one may need the one before it', async () => {
    const trace: string[] = []
    const act = async (ref: string): Promise<void> => {
      trace.push(`begin ${ref}`)
      await nextTurn()
      trace.push(`end ${ref}`)
      if (ref === 'a') throw new Error('no')
    }
    const said: string[] = []
    const say = (text: string): void => void said.push(text)
    assert.equal(await eachInTurn(['a', 'b'], { out: say, err: say, signal }, act), 1)
    assert.deepEqual(trace, ['begin a', 'end a', 'begin b', 'end b'])
    assert.deepEqual(said, ['no\n', 'b\n'])
  })

  it('show what is done as soon as what stands before it is shown', async () => {
    const last = Promise.withResolvers<void>()
    const said: string[] = []
    const first = Promise.withResolvers<void>()
    const out = (text: string): void => {
      said.push(text)
      first.resolve()
    }
    const all = each(['a', 'b'], { out, err: out, signal }, (ref) =>
      ref === 'a' ? Promise.resolve() : last.promise,
    )
    await first.promise
    assert.deepEqual(said, ['a\n'])
    last.resolve()
    assert.equal(await all, 0)
    assert.deepEqual(said, ['a\n', 'b\n'])
  })

  it('ask for nothing when a name is empty, as that of an unset variable', async () => {
    await using engine = await ScriptedEngine.start({ 'GET /networks/': { json: [] } })
    for (const [noun, lines] of Object.entries({
      container: [
        'start',
        'stop',
        'kill',
        'rm -f',
        'inspect',
        'logs',
        'wait',
        'top',
        'exec {} true',
        'port',
        'diff',
      ],
      network: ['network inspect', 'network rm'],
      volume: ['volume inspect', 'volume rm'],
      image: ['image inspect', 'rmi', 'history'],
    })) {
      for (const line of lines) {
        const words = (line.includes('{}') ? line : `${line} {}`).split(' ')
        const { code, stdout, stderr } = await runCli(
          words.map((word) => (word === '{}' ? '' : word)),
          { host: engine.host },
        )
        assert.equal(code, 1, line)
        assert.match(stdout, /^(\[\]\n)?$/, line)
        assert.equal(stderr, `invalid ${noun} name or ID: value is empty\n`, line)
      }
    }
    assert.deepEqual(engine.requests, [])
  })
})

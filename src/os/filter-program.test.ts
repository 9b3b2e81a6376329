import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { engineErrorOf, isKind } from '#base/errors.ts'
import { throughProgram } from './filter-program.ts'

async function* stream(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield Buffer.alloc(1 << 16, 'x')
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(chunks)).toString()
}

function shell(script: string) {
  return { argv: ['sh', '-c', script], package: 'dash' } as const
}

describe('throughProgram()', () => {
  it('gives what the program makes of it', async () => {
    assert.equal(await textOf(throughProgram(shell('tr a-z A-Z'), stream('some ', 'text'))), 'SOME TEXT')
  })

  it('says what the program says when it refuses', async () => {
    await assert.rejects(
      textOf(throughProgram(shell('echo "tool: bad $(printf "\\033")data" >&2; exit 3'), stream('x'))),
      (error) => {
        assert.equal((error as Error).message, 'tool: bad data')
        return isKind(error, 'invalid_argument')
      },
    )
    await assert.rejects(textOf(throughProgram(shell('exit 3'), endless())), /sh: status 3/)
  })

  it('names the package of a program that is not there', async () => {
    const missing = { argv: ['no-such-program-of-berth'], package: 'something' } as const
    await assert.rejects(textOf(throughProgram(missing, stream('x'))), (error) => {
      assert.match(String(error), /apt-get install something/)
      return engineErrorOf(error)?.code === 'PROGRAM_MISSING' && isKind(error, 'unavailable')
    })
  })

  it('fails as its source does', async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('x')
      throw new Error('the source broke')
    }
    await assert.rejects(textOf(throughProgram(shell('cat'), failing())), /the source broke/)
  })

  it('ends the program when the reader stops, or the signal is aborted', async () => {
    for await (const chunk of throughProgram(shell('cat'), endless())) {
      assert.ok(chunk.length > 0)
      break
    }
    const controller = new AbortController()
    const aborting = async (): Promise<void> => {
      const { signal } = controller
      for await (const _ of throughProgram(shell('cat'), endless(), { signal })) {
        controller.abort(new Error('enough'))
      }
    }
    await assert.rejects(aborting(), /enough/)
  })
})

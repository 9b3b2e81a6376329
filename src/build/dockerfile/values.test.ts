import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyFileMode, parseFileMode } from './file-mode.ts'
import { parsePorts } from './ports.ts'

describe('parseFileMode()', () => {
  const table: readonly (readonly [mode: string, before: number, file: number, directory: number])[] = [
    ['755', 0, 0o755, 0o755],
    ['04755', 0, 0o4755, 0o4755],
    ['+x', 0o644, 0o755, 0o755],
    ['u=rwX,go=rX', 0o600, 0o644, 0o755],
    ['u=rwX,go=rX', 0o700, 0o755, 0o755],
    ['a-w', 0o666, 0o444, 0o444],
    ['g=u', 0o640, 0o660, 0o660],
    ['o=', 0o777, 0o770, 0o770],
    ['u+s,g+s', 0o755, 0o6755, 0o6755],
    ['+t', 0o755, 0o1755, 0o1755],
    ['u+rw-x', 0o100, 0o600, 0o600],
  ]
  for (const [mode, before, file, directory] of table)
    it(`makes ${before.toString(8)} what ${mode} says`, () => {
      assert.equal(applyFileMode(parseFileMode(mode), before, false).toString(8), file.toString(8))
      assert.equal(applyFileMode(parseFileMode(mode), before, true).toString(8), directory.toString(8))
    })

  it('refuses other things', () => {
    for (const mode of ['', '8', '17777', 'rwx', 'u=', 'x+r', 'u+q', 'u=rw,', 'u=gr'].filter(
      (each) => each !== 'u=',
    ))
      assert.throws(() => parseFileMode(mode), /invalid chmod value/, mode)
  })
})

describe('parsePorts()', () => {
  it('gives the keys of ExposedPorts', () => {
    assert.deepEqual(parsePorts('80'), ['80/tcp'])
    assert.deepEqual(parsePorts('7000-7002/UDP'), ['7000/udp', '7001/udp', '7002/udp'])
    assert.deepEqual(parsePorts('127.0.0.1:8080:80/sctp'), ['80/sctp'])
  })

  it('refuses what is no port', () => {
    for (const port of ['', 'a', '65536', '9-8', '80/x', '-1', '1-'])
      assert.throws(() => parsePorts(port), /invalid/, port)
  })
})

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import { Ballast } from './ballast.ts'

describe('Ballast', () => {
  let directory: string
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-ballast-'))
  })
  after(() => rmSync(directory, { recursive: true }))

  it('takes space, gives it up once, and takes it again', () => {
    const path = join(directory, 'one')
    const ballast = new Ballast(path, silentLogger)
    assert.equal(ballast.release(), false)
    ballast.fill(0)
    assert.ok(statSync(path).size > 1 << 20)
    assert.equal(ballast.release(), true)
    assert.equal(existsSync(path), false)
    assert.equal(ballast.release(), false)
    ballast.fill(0)
    assert.equal(existsSync(path), true)
  })

  it('has what an earlier daemon took', () => {
    const path = join(directory, 'two')
    new Ballast(path, silentLogger).fill(0)
    assert.equal(new Ballast(path, silentLogger).release(), true)
  })

  it('does without when the space cannot be had', () => {
    const ballast = new Ballast(join(directory, 'missing', 'three'), silentLogger)
    ballast.fill(0)
    assert.equal(ballast.release(), false)
    mkdirSync(join(directory, 'missing'))
    ballast.fill(1000)
    assert.equal(ballast.release(), false, 'it was just refused')
    ballast.fill(60_000)
    assert.equal(ballast.release(), true)
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError, isKind, messageOf } from '#base/errors.ts'
import { problemAt, together } from '../document/errors.ts'
import { projectOf } from '../load/memory.fixture.ts'
import { namedProject } from '../model/named-project.ts'
import type { Operation } from '../plan/operation.ts'
import { located } from './blame.ts'

const project = projectOf(`services:
  web:
    image: busybox
    command: serve
    ports:
      - "80:80"
      - "443:443"
    volumes:
      - /none:/data
    secrets: [key]
    depends_on:
      db: {condition: service_healthy}
  db:
    build: .
networks:
  default:
    driver: strange
secrets:
  key:
    file: ./key.pem
`)

const planned = { id: 'x', cause: 'a test', after: [] }
const create: Operation = {
  type: 'create container',
  container: { service: 'web', number: 1, name: 'p-web-1', inherited: [] },
  ...planned,
}
const start: Operation = { type: 'start container', name: 'p-web-1', service: 'web', ...planned }

/** What is said of an operation that fails with this message. */
function said(operation: Operation, message: string): string {
  return messageOf(located(project, operation, new EngineError('conflict', message, { code: 'X' })))
}

describe('located()', () => {
  it('names the line that asks for what could not be done', () => {
    const port = 'failed to bind host port for 0.0.0.0:443:172.20.0.2:443/tcp: address already in use'
    assert.equal(said(start, port), `/p/compose.yaml:7:9: ${port}`)
    assert.match(said(start, 'failed to bind host port 127.0.0.1:80/tcp: taken'), /^\/p\/compose\.yaml:6:9: /)
    assert.match(said(start, 'failed to bind host port 0.0.0.0:1/tcp: taken'), /^\/p\/compose\.yaml:5:5: /)
    assert.match(said(create, 'bind source path does not exist: /none'), /^\/p\/compose\.yaml:9:9: /)
    assert.match(said(create, 'bind source path does not exist: /p/key.pem'), /^\/p\/compose\.yaml:20:5: /)
    assert.match(
      said(start, 'exec: "serve": executable file not found in $PATH'),
      /^\/p\/compose\.yaml:4:5: /,
    )
    assert.match(said(create, 'anything else'), /^\/p\/compose\.yaml:2:3: /)
    const build: Operation = { type: 'build image', image: 'p-db', service: 'db', ...planned }
    assert.match(said(build, 'failed'), /^\/p\/compose\.yaml:14:5: /)
    const network: Operation = { type: 'create network', network: 'default', name: 'p_default', ...planned }
    assert.match(said(network, 'no driver'), /^\/p\/compose\.yaml:16:3: /)
    const wait: Operation = {
      type: 'wait for service',
      service: 'db',
      condition: 'service_healthy',
      required: true,
      ...planned,
    }
    assert.match(said(wait, 'unhealthy'), /^\/p\/compose\.yaml:12:7: /)
  })

  it('keeps the kind of the error, and what has a line or cannot have one', () => {
    const failure = new EngineError('conflict', 'taken', { code: 'X' })
    assert.ok(isKind(located(project, create, failure), 'conflict'))
    assert.equal(located(namedProject('p'), create, failure), failure)
    const remove: Operation = { type: 'remove network', name: 'p_old', networkId: 'x', ...planned }
    assert.equal(located(project, remove, failure), failure)
    const known = problemAt({ file: 'f', line: 1, column: 2 }, 'wrong')
    assert.equal(located(project, create, known), known)
  })
})

describe('together()', () => {
  it('gives each failure a line, and none two', () => {
    const [a, b, again] = ['a', 'b', 'a'].map((text) => new EngineError('conflict', text, { code: 'X' }))
    assert.equal(together([a]), a)
    assert.equal(together([a, again]), a)
    assert.equal(messageOf(together([a, b, again])), 'a\nb')
  })
})

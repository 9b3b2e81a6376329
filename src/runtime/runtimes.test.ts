import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import type { ConfiguredRuntime } from './runtime-command.ts'
import { Runtimes } from './runtimes.ts'

let directory: string
let configured: Record<string, ConfiguredRuntime>
let calls: string[]
let installed: boolean

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-runtimes-'))
  configured = {}
  calls = []
  installed = true
})
afterEach(() => rmSync(directory, { recursive: true }))

/** A machine that has `kata` in /opt. */
async function run(argv: readonly string[]) {
  calls.push(argv.join(' '))
  const none = { code: 127, stdout: '', stderr: 'not found' }
  if (!installed) return none
  if (argv[0] === 'sh')
    return { code: 0, stdout: `${argv[2]?.replace(/^command -v '(.*)'$/, '$1')}\n`, stderr: '' }
  if (argv.join(' ') === '/opt/kata --version')
    return { code: 0, stdout: 'kata-runtime  : 3.2.0\n   commit   : x\n', stderr: '' }
  return none
}

function runtimes(helper = { run }): Runtimes {
  const facts = { version: '1.8', timeNamespaces: true, reason: '', warnings: [] }
  return new Runtimes({
    helper,
    selected: { name: 'crun', path: 'crun', ...facts },
    binary: '/usr/bin/crun',
    configured: () => configured,
    hybridControllers: [],
    filters: join(directory, 'filters'),
    scripts: join(directory, 'scripts'),
  })
}

describe('Runtimes', () => {
  it('has the default under its own name and under Docker’s', async () => {
    const all = runtimes()
    assert.deepEqual(all.names, ['crun', 'runc', 'io.containerd.runc.v2'])
    for (const name of ['', 'crun', 'runc']) assert.equal(await all.named(name), all.standard)
    assert.deepEqual([all.standard.binary, all.standard.timeNamespaces], ['/usr/bin/crun', true])
    assert.deepEqual(calls, [])
  })

  it('looks at a configured one once, when it is asked for', async () => {
    configured['kata'] = { path: '/opt/kata', args: [] }
    const all = runtimes()
    assert.ok(all.names.includes('kata'))
    const [first, second] = await Promise.all([all.named('kata'), all.named('kata')])
    assert.equal(first, second)
    assert.deepEqual([first.binary, first.timeNamespaces], ['/opt/kata', false])
    assert.equal(calls.filter((one) => one === '/opt/kata --version').length, 1)
  })

  it('calls one that has arguments through a script', async () => {
    const program = join(directory, "it's")
    writeFileSync(program, '#!/bin/sh\nprintf "%s," "$@"\n', { mode: 0o755 })
    configured['own'] = { path: program, args: ['--log', 'a b', "it's"] }
    const found: Record<string, string> = { 'own --version': 'own version 1\n' }
    const all = runtimes({
      run: async (argv) => {
        const stdout = argv[0] === 'sh' ? program : (found[`own ${argv[1]}`] ?? '')
        return { code: stdout === '' ? 1 : 0, stdout, stderr: '' }
      },
    })
    const { binary } = await all.named('own')
    assert.ok(existsSync(binary))
    assert.equal(execFileSync(binary, ['delete', 'x y'], { encoding: 'utf8' }), "--log,a b,it's,delete,x y,")
  })

  it('says which one is not known, and which one cannot be executed, until it can', async () => {
    configured['kata'] = { path: '/opt/kata', args: [] }
    const all = runtimes()
    await assert.rejects(
      all.named('none'),
      (error) =>
        isKind(error, 'invalid_argument') && /unknown or invalid runtime name: none/.test(String(error)),
    )
    await assert.rejects(all.named('constructor'), /unknown or invalid runtime name: constructor/)
    installed = false
    await assert.rejects(
      all.named('kata'),
      (error) =>
        isKind(error, 'unavailable') &&
        /runtime "kata" of the configuration: \/opt\/kata: not installed/.test(String(error)),
    )
    installed = true
    assert.equal((await all.named('kata')).binary, '/opt/kata')
  })
})

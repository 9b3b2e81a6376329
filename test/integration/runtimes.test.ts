/** Runtimes that the configuration names: who is called, and with which of them a container goes on. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, it } from 'node:test'
import { busyboxTar } from '#test/support/busybox-image.ts'
import { NODE, REPOSITORY, TestDaemon } from '#test/support/daemon.ts'

const BERTH = [NODE, join(REPOSITORY, 'src/bin/berth.ts')] as const

let root: string
const at = (name: string): string => join(root, name)

before(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-runtimes-'))
})
after(() => rmSync(root, { recursive: true }))

/** A runtime that writes down how it is called, and is the machine's own otherwise. */
function witness(own: string): { readonly path: string; readonly calls: () => readonly string[] } {
  const log = at('calls')
  writeFileSync(log, '')
  writeFileSync(at('witness'), `#!/bin/sh\necho "$@" >>${log}\nexec ${own} "$@"\n`, { mode: 0o755 })
  return {
    path: at('witness'),
    calls: () => readFileSync(log, 'utf8').split('\n').filter(Boolean),
  }
}

it('starts a container with the runtime that it names, and goes on with that one', async () => {
  writeFileSync(at('daemon.json'), '{}')
  await using daemon = await TestDaemon.start({ args: ['--config-file', at('daemon.json')] })
  const berth = (...args: string[]) => daemon.inside(...BERTH, '-H', daemon.host, ...args)
  const own = berth('version', '--format', '{{(index .Server.Components 1).Details.Path}}').stdout.trim()
  const { path, calls } = witness(own)
  writeFileSync(at('busybox.tar'), await busyboxTar())
  berth('import', at('busybox.tar'), 'busybox')

  const refused = berth('run', '--rm', '--runtime', 'logged', 'busybox', 'true')
  assert.match(refused.stderr, /unknown or invalid runtime name: logged/)

  const configure = async (runtimes: object): Promise<void> => {
    const events = await daemon.open('GET', '/events')
    writeFileSync(at('daemon.json'), JSON.stringify({ runtimes }))
    execFileSync('kill', ['-HUP', String(daemon.pid)])
    await once(createInterface({ input: events }), 'line')
    events.destroy()
  }
  await configure({ logged: { path, runtimeArgs: ['--debug'] }, missing: { path: '/nowhere/runtime' } })
  assert.deepEqual(JSON.parse(berth('info', '--format', '{{json .Runtimes.logged}}').stdout), {
    path,
    runtimeArgs: ['--debug'],
  })
  const [name, sleep] = ['kept', ['busybox', 'sleep', '1000']]
  assert.equal(berth('run', '-d', '--name', name, '--runtime', 'logged', ...sleep).code, 0)
  assert.equal(berth('inspect', '--format', '{{.HostConfig.Runtime}}', name).stdout, 'logged\n')
  assert.match(calls().join('\n'), /^--debug --root \S+ .*\brun\b/m)
  const missing = berth('run', '--rm', '--runtime', 'missing', 'busybox', 'true')
  assert.match(missing.stderr, /runtime "missing" of the configuration: \/nowhere\/runtime: .*No such file/)

  // The configuration forgets it; the container that runs does not.
  await configure({})
  await daemon.down('SIGKILL')
  await daemon.up()
  const before = calls().length
  for (const command of ['pause', 'unpause']) assert.equal(berth(command, name).code, 0)
  assert.equal(berth('exec', name, 'true').code, 0)
  const since = calls().slice(before).join('\n')
  for (const command of ['pause', 'resume', 'exec'])
    assert.match(since, new RegExp(`--debug --root .*\\b${command}\\b`))
  const again = berth('restart', '-t', '0', name)
  assert.match(again.stderr, /unknown or invalid runtime name: logged/)
  assert.equal(berth('rm', '-f', name).code, 0)
})

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtempDisposable, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { MAX_ACCOUNT_FILE } from '#runtime/users.ts'
import { MountStubs } from './mount-stubs.ts'
import { StepRoot } from './step-root.ts'

let directory: Awaited<ReturnType<typeof mkdtempDisposable>>
let root: StepRoot

before(async () => {
  directory = await mkdtempDisposable(join(tmpdir(), 'berth-root-'))
  const { path } = directory
  await mkdir(join(path, 'etc'))
  await mkdir(join(path, 'run/deep'), { recursive: true })
  await mkdir(join(path, 'var'))
  await writeFile(join(path, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n')
  await symlink('/run', join(path, 'var/run'))
  await symlink('../../../../run', join(path, 'var/up'))
  await symlink('/var/run/deep', join(path, 'chain'))
  await symlink('loop', join(path, 'loop'))
  await symlink('/none/such', join(path, 'dangling'))
  await symlink('passwd', join(path, 'etc/link'))
  await writeFile(join(path, 'etc/large'), 'x'.repeat(MAX_ACCOUNT_FILE + 10))
  execFileSync('mkfifo', [join(path, 'etc/fifo')])
  root = new StepRoot(path)
})
after(() => directory.remove())

describe('StepRoot', () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['/etc/passwd', 'etc/passwd', 2],
    ['/', '', 0],
    ['/new/a/b', 'new/a/b', 0],
    ['/etc/new/a', 'etc/new/a', 1],
    ['/var/run/x', 'run/x', 1],
    ['/var/up/deep/x', 'run/deep/x', 2],
    ['/chain/x', 'run/deep/x', 2],
    ['/dangling', 'none/such', 0],
    ['/../../etc', 'etc', 1],
    ['/etc/passwd/x', 'etc/passwd/x', 2],
    ['/var/run/../etc/./passwd', 'etc/passwd', 2],
  ]
  for (const [path, resolved, existing] of cases) {
    it(`resolves ${path} inside the root`, () => {
      assert.deepEqual(root.resolve(path), { path: resolved, existing })
    })
  }

  it('gives up on symlinks without end', () => {
    assert.deepEqual(root.resolve('/loop/x'), { path: 'loop/x', existing: 0 })
    assert.equal(root.read('/loop/x'), '')
  })

  it('reads regular files alone, and no more of them than is allowed', () => {
    assert.match(root.read('/etc/passwd'), /^root:/)
    assert.match(root.read('/etc/link'), /^root:/)
    for (const path of ['/etc', '/etc/fifo', '/none']) assert.equal(root.read(path), '')
    assert.equal(root.read('/etc/large').length, MAX_ACCOUNT_FILE + 1)
  })

  it('reads nothing outside, not even at the end of many symlinks', async () => {
    const { path } = directory
    await mkdir(join(path, 'many'))
    for (let i = 0; i < 45; i++) await symlink(i === 44 ? '/etc' : `${i + 1}`, join(path, `many/${i}`))
    assert.equal(root.read('/many/0/passwd'), '')
    assert.equal(root.read('/many/40/passwd'), root.read('/etc/passwd'))
  })
})

describe('MountStubs', () => {
  const record = (path: string, type: 'file' | 'directory', size = 0) =>
    ({ path, type, size, mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } }) as const

  it('are the places that the layers below do not have', () => {
    const stubs = new MountStubs(root, ['/etc/hosts', '/var/run/new/place', '/etc/passwd'])
    for (const path of ['proc', 'dev', 'sys', 'run/new', 'run/new/place'])
      assert.equal(stubs.has(record(path, 'directory')), true, path)
    assert.equal(stubs.has(record('etc/hosts', 'file')), true)
    assert.equal(stubs.has(record('etc/hosts', 'file', 1)), false, 'somebody has written there')
    for (const path of ['etc', 'run', 'var', 'etc/passwd', 'other'])
      assert.equal(stubs.has(record(path, 'directory')), false, path)
    assert.equal(stubs.has({ ...record('proc', 'directory'), opaque: true }), false)
  })

  it('know the directories they are in', () => {
    const stubs = new MountStubs(root, ['/etc/hosts'])
    assert.deepEqual(stubs.before('etc'), { mode: 0o755, uid: 0, gid: 0 })
    assert.equal(stubs.before('run'), undefined)
  })

  it('are all there is in an upper directory, or not', async () => {
    const stubs = new MountStubs(root, ['/etc/hosts', '/new/a'])
    await using upper = await mkdtempDisposable(join(tmpdir(), 'berth-upper-'))
    const at = (path: string): string => join(upper.path, path)
    assert.equal(stubs.isAllIn(upper.path), true)
    await mkdir(at('etc'), { mode: 0o755 })
    await writeFile(at('etc/hosts'), '')
    await mkdir(at('new/a'), { recursive: true })
    assert.equal(stubs.isAllIn(upper.path), true)
    for (const change of [
      () => writeFile(at('new/b'), ''),
      () => writeFile(at('etc/hosts'), 'text'),
      () => symlink('x', at('proc')),
      () => mkdir(at('etc'), { recursive: true }).then(() => execFileSync('chmod', ['0700', at('etc')])),
    ]) {
      await using copy = await mkdtempDisposable(join(tmpdir(), 'berth-upper-'))
      execFileSync('cp', ['-a', `${upper.path}/.`, copy.path])
      await change()
      assert.equal(stubs.isAllIn(upper.path), false)
      execFileSync('rm', ['-r', upper.path])
      execFileSync('cp', ['-a', copy.path, upper.path])
    }
  })
})

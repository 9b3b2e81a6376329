import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ContainerConfig } from '#api/generated/types.ts'
import { processEnvironment, replaceEnvironment } from './environment.ts'
import { mergeConfig } from './merge.ts'

const image = { Entrypoint: ['/entry'], Cmd: ['serve', '-p'] }

describe('mergeConfig()', () => {
  const commands: readonly (readonly [string, ContainerConfig, object, readonly string[]])[] = [
    ['takes entrypoint and command of the image', {}, image, ['/entry', 'serve', '-p']],
    ['replaces the command', { Cmd: ['x'] }, image, ['/entry', 'x']],
    ['drops the command of the image with an entrypoint', { Entrypoint: ['sh'] }, image, ['sh']],
    ['takes both of the request', { Entrypoint: ['sh'], Cmd: ['x'] }, image, ['sh', 'x']],
    ['clears the entrypoint with [], keeping the command', { Entrypoint: [] }, image, ['serve', '-p']],
    [
      'takes null and [] commands as not said',
      { Entrypoint: null, Cmd: [] },
      image,
      ['/entry', 'serve', '-p'],
    ],
    ['clears both with [""]', { Entrypoint: [''], Cmd: ['x'] }, image, ['x']],
  ]
  for (const [title, body, from, expected] of commands) {
    it(title, () => {
      const { path, args } = mergeConfig(body, from)
      assert.deepEqual([path, ...args], expected)
    })
  }

  it('says so when there is nothing to run', () => {
    for (const body of [{}, { Entrypoint: [''] }, { Cmd: [] }]) {
      const from = 'Entrypoint' in body ? image : {}
      assert.throws(() => mergeConfig(body, from), { message: 'no command specified' })
    }
  })

  it('unites what is a set, the request winning', () => {
    const { config } = mergeConfig(
      { Env: ['A=1', 'UNSET'], Labels: { l: 'mine' }, ExposedPorts: { '80/tcp': {} }, Volumes: { '/v': {} } },
      {
        ...image,
        Env: ['A=2', 'B=3', 'UNSET=x'],
        Labels: { l: 'theirs', m: '1' },
        ExposedPorts: { '443/tcp': {} },
        Volumes: { '/w': {} },
      },
    )
    assert.deepEqual(config.Env, ['A=1', 'UNSET', 'B=3'])
    assert.deepEqual(config.Labels, { l: 'mine', m: '1' })
    assert.deepEqual(config.ExposedPorts, { '443/tcp': {}, '80/tcp': {} })
    assert.deepEqual(config.Volumes, { '/w': {}, '/v': {} })
  })

  it('cleans the directory', () => {
    const directory = (mine: string, images = '') =>
      mergeConfig({ WorkingDir: mine }, { ...image, WorkingDir: images }).config.WorkingDir
    assert.deepEqual(
      [directory('/tmp/'), directory('//a/./b/../'), directory('', '/app/')],
      ['/tmp', '/a', '/app'],
    )
    // To be refused as it was said.
    assert.equal(directory('app/'), 'app/')
  })

  it('completes user, directory and stop signal, and leaves the shell to builds', () => {
    const from = { ...image, User: 'app', WorkingDir: '/app', StopSignal: 'SIGINT', Shell: ['bash'] }
    const { config } = mergeConfig({ User: '' }, from)
    assert.deepEqual(
      [config.User, config.WorkingDir, config.StopSignal, config.Shell],
      ['app', '/app', 'SIGINT', undefined],
    )
    assert.equal(mergeConfig({ User: '5' }, from).config.User, '5')
  })

  it('merges a health check field by field', () => {
    const from = { ...image, Healthcheck: { Test: ['CMD', 'a'], Interval: 5e9, Retries: 2 } }
    const { config } = mergeConfig({ Healthcheck: { Interval: 1e9, Timeout: 2e9, Test: [] } }, from)
    assert.deepEqual(config.Healthcheck, { Test: ['CMD', 'a'], Interval: 1e9, Retries: 2, Timeout: 2e9 })
    assert.deepEqual(mergeConfig({ Healthcheck: { Test: ['NONE'] } }, from).config.Healthcheck?.Test, [
      'NONE',
    ])
    assert.equal('Healthcheck' in mergeConfig({}, image).config, false)
  })

  it('leaves triggers of the image out', () => {
    assert.equal(mergeConfig({}, { ...image, OnBuild: ['RUN evil'] }).config.OnBuild, null)
  })

  it('CVE-2026-57231: malformed entries of an image import nothing', () => {
    const { config } = mergeConfig({}, { ...image, Env: ['FOO', '*', 'PATH', '=x', '', 'OK=1'] })
    assert.deepEqual(config.Env, ['OK=1'])
    assert.deepEqual(
      processEnvironment({ Env: ['FOO', '*', '=x'] }, 'h').filter((entry) => /^(FOO|\*|=)/.test(entry)),
      [],
    )
  })

  it('CVE-2026-53488: labels of an image touch nothing but labels', () => {
    const labels = { 'io.podman.x': '1', 'run.oci.handler': 'vm', 'org.criu.y': '2', 'com.docker.z': '3' }
    const { Labels, ...rest } = mergeConfig({}, { ...image, Labels: labels }).config
    const { Labels: _none, ...plain } = mergeConfig({}, image).config
    assert.deepEqual(Labels, labels)
    assert.deepEqual(rest, plain)
  })
})

describe('processEnvironment()', () => {
  const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

  it('has a path and the host name; a terminal also a kind', () => {
    assert.deepEqual(processEnvironment({}, 'box'), [PATH, 'HOSTNAME=box'])
    assert.deepEqual(processEnvironment({ Tty: true }, 'box'), [PATH, 'HOSTNAME=box', 'TERM=xterm'])
  })

  it('lets the configuration replace and remove', () => {
    assert.deepEqual(processEnvironment({ Env: ['PATH=/bin', 'HOSTNAME', 'A=b=c'] }, 'box'), [
      'PATH=/bin',
      'A=b=c',
    ])
  })

  it('never has a name twice', () => {
    const entry = fc
      .tuple(fc.constantFrom('A', 'B', 'PATH'), fc.string())
      .map(([name, value]) => `${name}=${value}`)
    fc.assert(
      fc.property(fc.array(entry), fc.array(entry), (base, changes) => {
        const names = replaceEnvironment(base, changes).map((text) => text.split('=', 1)[0])
        assert.equal(new Set(names).size, names.length)
      }),
    )
  })
})

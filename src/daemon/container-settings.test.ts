import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { containerSettings } from './container-settings.ts'

describe('containerSettings()', () => {
  it('come from flags, else from the file, where lists and maps have plural names', () => {
    const flags = {
      'log-driver': 'syslog',
      'log-opt': ['tag=x=y', 'syslog-facility=local0'],
      'default-ulimit': ['nofile=10:20', 'core=0'],
      'default-shm-size': '128M',
      dns: ['10.0.0.1'],
    }
    const file = {
      'log-driver': 'journald',
      'log-opts': { tag: 'z', labels: 'a' },
      'default-ulimits': { nofile: { Name: 'nofile', Soft: 1, Hard: 2 } },
      'default-stop-timeout': 30,
      init: true,
      'dns-opts': ['ndots:1'],
    }
    const settings = containerSettings(flags, file)
    assert.deepEqual(settings.log.options, { tag: 'x=y', labels: 'a', 'syslog-facility': 'local0' })
    assert.deepEqual(settings.ulimits, [
      { Name: 'nofile', Soft: 10, Hard: 20 },
      { Name: 'core', Soft: 0, Hard: 0 },
    ])
    assert.deepEqual(
      [
        settings.log.driver,
        settings.shmSize,
        settings.stopTimeout,
        settings.init,
        settings.dns,
        settings.dnsOptions,
      ],
      ['syslog', 128 * 1024 ** 2, 30, true, ['10.0.0.1'], ['ndots:1']],
    )
    const { ulimits, log } = containerSettings({}, file)
    assert.deepEqual([ulimits, log.driver], [[{ Name: 'nofile', Soft: 1, Hard: 2 }], 'journald'])
  })

  it('refuse values that cannot be one, by name', () => {
    const wrong = [
      [{ 'log-opt': ['tag'] }, {}, /--log-opt tag: want NAME=VALUE/],
      [{ 'default-ulimit': ['nofile=x'] }, {}, /--default-ulimit nofile=x: want NAME=SOFT/],
      [{}, { 'log-opts': { a: 1 } }, /"log-opts": the value of "a" must be a string/],
      [{}, { 'default-shm-size': 'much' }, /"default-shm-size" must be a size/],
      [{}, { 'default-ipc-mode': 'host' }, /"default-ipc-mode": "host" is none of private, shareable/],
      [{}, { 'default-stop-timeout': -2 }, /"default-stop-timeout" must be a number of seconds/],
      [{}, { init: 'yes' }, /"init" must be a boolean/],
      [{}, { dns: '1.1.1.1' }, /"dns" must be a list/],
    ] as const
    for (const [flags, file, message] of wrong)
      assert.throws(() => containerSettings(flags, file), { message })
  })
})

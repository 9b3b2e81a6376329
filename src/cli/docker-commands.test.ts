import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dockerCommands } from '#test/support/docker-commands.ts'
import { findEntry } from './registry.ts'

describe("Docker's commands", () => {
  const commands = dockerCommands()

  it('are 79, without those of swarm and of managed plugins', () => {
    assert.equal(commands.length, 79)
    assert.ok(commands.reduce((sum, { flags }) => sum + flags.length, 0) > 450)
  })

  for (const { names, flags } of commands) {
    const [home = ''] = names
    it(`${names.join(', ')}: berth has every spelling and flag`, async () => {
      const entry = findEntry(home.split(' '))?.entry
      assert.ok(entry !== undefined, `there is no ${home}`)
      for (const name of names) assert.equal(findEntry(name.split(' '))?.entry, entry, name)
      const own = (await entry.load()).flags
      const wanted = flags.map(({ name, short, takesValue }) => ({ name, short, takesValue }))
      const found = wanted.map(({ name }) => {
        const flag = own[name]
        return flag === undefined ? undefined : { name, short: flag.short, takesValue: !flag.isSwitch }
      })
      assert.deepEqual(found, wanted)
    })
  }
})

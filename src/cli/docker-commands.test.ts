import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dockerCommands } from '#test/support/docker-commands.ts'
import { findEntry } from './registry.ts'

/** What berth leaves out, each with its reason. */
const leftOut: Readonly<Record<string, string>> = {
  'manifest annotate':
    'lists of manifests are made by builds for several platforms; the command line holds no registry client',
  'manifest create': 'see manifest annotate',
  'manifest inspect': 'see manifest annotate',
  'manifest push': 'see manifest annotate',
  'manifest rm': 'see manifest annotate',
}

describe("Docker's commands", () => {
  const commands = dockerCommands()

  it('are 79, without those of swarm and of managed plugins', () => {
    assert.equal(commands.length, 79)
    assert.ok(commands.reduce((sum, { flags }) => sum + flags.length, 0) > 450)
  })

  for (const { names, flags } of commands) {
    const [home = ''] = names
    if (home in leftOut) continue
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

  it('are left out only where they are really missing', () => {
    assert.deepEqual(
      Object.keys(leftOut).filter((name) => findEntry(name.split(' ')) !== undefined),
      [],
    )
  })
})

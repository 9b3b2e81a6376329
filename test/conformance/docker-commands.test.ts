/** The list of Docker's commands that berth is held against is that of Docker's own command line. */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { dockerCommands } from '#test/support/docker-commands.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"
const run = promisify(execFile)

/** Groups that other programs and swarm have, and what buildx adds below `builder`. */
const others =
  /^(swarm|service|stack|node|secret|config|plugin|trust|buildx|compose|bake|builder (?!build$|prune$).*)$/

async function help(words: readonly string[]): Promise<string> {
  return (await run('docker', [...words, '--help'])).stdout
}

/** Names in a section of a help text, such as `Commands:`. */
function section(text: string, title: RegExp, row: RegExp): string[] {
  const blocks = text.split('\n\n').filter((block) => title.test(block.trimStart()))
  return blocks.flatMap((block) =>
    block.split('\n').flatMap((line) => {
      const name = row.exec(line)?.[1]
      return name === undefined ? [] : [name.replace('*', '')]
    }),
  )
}

async function* walk(words: readonly string[]): AsyncGenerator<{ name: string; flags: string[] }> {
  const text = await help(words)
  const children = section(text, /^(\w+ )?Commands:/, /^ {2}(\S+)/)
  const flags = section(text, /^(Global )?Options:/, /^ {2,6}(?:-\w, )? *--([\w-]+)/)
  if (children.length === 0) yield { name: words.join(' '), flags }
  for (const child of children) {
    const name = [...words, child].join(' ')
    if (!others.test(name)) yield* walk([...words, child])
  }
}

describe('the list of commands', { skip: absent }, () => {
  it('has every command and flag that the docker on this machine shows', async () => {
    const known = new Map(dockerCommands().flatMap(({ names, flags }) => names.map((name) => [name, flags])))
    const missing: string[] = []
    let commands = 0
    for await (const { name, flags } of walk([])) {
      commands += 1
      const listed = known.get(name)?.map((flag) => flag.name)
      if (listed === undefined) missing.push(name)
      else
        missing.push(
          ...flags
            .filter((flag) => flag !== 'help' && !listed.includes(flag))
            .map((flag) => `${name} --${flag}`),
        )
    }
    assert.ok(commands > 100)
    assert.deepEqual(missing, [])
  })
})

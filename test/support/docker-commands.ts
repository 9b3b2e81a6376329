import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A command of Docker's command line, as far as scripts depend on it. */
export interface DockerCommand {
  /** Every spelling, its home first. */
  readonly names: readonly string[]
  readonly flags: readonly DockerFlag[]
}

export interface DockerFlag {
  readonly name: string
  readonly short: string | undefined
  /** Otherwise it is a switch. */
  readonly takesValue: boolean
}

/** `test/fixtures/docker-commands.txt`. */
export function dockerCommands(): DockerCommand[] {
  const text = readFileSync(join(import.meta.dirname, '../fixtures/docker-commands.txt'), 'utf8')
  const blocks = text.split('\n\n').filter((block) => !block.startsWith('#'))
  return blocks.map((block) => {
    const [names = '', ...flags] = block.trim().split('\n')
    return { names: names.split(', '), flags: flags.map(parseFlag) }
  })
}

function parseFlag(line: string): DockerFlag {
  const match = /^ *(?:-(\w), )?--([\w-]+)( VALUE)?$/.exec(line)
  if (match === null) throw new Error(`not a flag: ${line}`)
  return { name: match[2] ?? '', short: match[1], takesValue: match[3] !== undefined }
}

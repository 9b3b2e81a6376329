/** The tour of README.md does what it shows: every command is run in its order, and its output compared. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { PrivateEngine } from '../../tools/private-engine.ts'

const REPOSITORY = join(import.meta.dirname, '../..')

interface Step {
  readonly command: string
  readonly output: string
}

/** Lines that begin with `$ ` in blocks of the kind `console`, with what follows each. */
function steps(markdown: string): Step[] {
  const blocks = [...markdown.matchAll(/^```console\n(.*?)^```$/gms)].map(([, text = '']) => text)
  return blocks
    .join('')
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const end = text.indexOf('\n')
      return { command: text.slice(0, end), output: text.slice(end + 1) }
    })
}

/** What differs from run to run made equal: ids, ages, process ids, and the width of columns. */
function stable(output: string): string {
  return output
    .replaceAll(/\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b/g, 'ID')
    .replaceAll(/(?:Less than a second|\d+ seconds?)(?: ago)?/g, 'AGE')
    .replaceAll(/^ *\d+ root/gm, 'PID root')
    .replaceAll(/ +/g, ' ')
}

it('the tour of README.md does what it shows', async () => {
  const images = spawnSync(join(REPOSITORY, 'tools/make-images'), [join(REPOSITORY, '.cache/images')])
  assert.equal(images.status, 0, String(images.stderr))
  await using engine = await PrivateEngine.start('tour')
  const env = {
    ...process.env,
    BERTH_HOST: engine.host,
    PATH: `${join(REPOSITORY, 'bin')}:${process.env['PATH']}`,
  }
  for (const { command, output } of steps(readFileSync(join(REPOSITORY, 'README.md'), 'utf8'))) {
    const { stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: REPOSITORY, env, encoding: 'utf8' })
    assert.equal(stable(stdout), stable(output), `${command}\n${stderr}`)
  }
})

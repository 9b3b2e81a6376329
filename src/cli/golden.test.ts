import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { runCli } from '#test/support/cli.ts'
import { goldenAnswers, goldenNow } from '#test/support/golden-answers.ts'
import { entries } from './registry.ts'

// Times are shown in the local zone.
process.env['TZ'] = 'UTC'

const golden = join(import.meta.dirname, '../../test/golden/cli')
/** `UPDATE_GOLDEN=1` writes the files anew; then read what changed. */
const update = process.env['UPDATE_GOLDEN'] === '1'

function check(name: string, text: string): void {
  const file = join(golden, `${name}.txt`)
  if (update || !existsSync(file)) writeFileSync(file, text)
  assert.equal(text, readFileSync(file, 'utf8'), `differs from ${file}`)
}

/** What each file holds: the output of these command lines, one after the other. */
const outputs: Readonly<Record<string, readonly string[]>> = {
  ps: [
    'ps -a',
    'ps -as --no-trunc',
    'ps -q',
    'ps --format {{.Names}}|{{.Labels}}|{{.Mounts}}|{{.Networks}}',
    'ps --format json',
    'ps -a --format raw',
    'ps -s --format raw',
    'ps --format table {{.ID}}\\t{{.Label "tier"}}',
  ],
  images: [
    'images',
    'images --digests',
    'images -q --no-trunc',
    'images --format json',
    'images --digests --format raw',
    'images --tree',
  ],
  history: ['history web', 'history --human=false --no-trunc web', 'history -q web'],
  search: [
    'search demo',
    'search --no-trunc demo',
    'search --format json demo',
    'search --format {{.Name}}: {{.StarCount}} demo',
  ],
  volumes: [
    'volume ls',
    'volume ls -q',
    'volume ls --format raw',
    'volume ls --format {{.Name}} {{.Mountpoint}} {{.Label "a"}}',
  ],
  networks: ['network ls', 'network ls --no-trunc -q', 'network ls --format json', 'network ls --format raw'],
  stats: ['stats --no-stream web', 'stats --no-stream --format json web'],
  'system-df': ['system df', 'system df -v', 'system df --format json', 'system df -v --format json'],
  container: [
    'port web',
    'port web 80',
    'top web',
    'diff web',
    'inspect -f {{json .NetworkSettings.Ports}} web',
  ],
  info: ['info', 'info -f {{.ServerVersion}} {{.Runtimes.crun.path}} {{.Runtimes.nvidia}}'],
  version: ['version -f {{json .Server}}'],
}

describe('output for people', () => {
  let directory = ''
  let host = ''
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/v[\d.]+/, '').replace(/\?.*$/, '')
    const answer = goldenAnswers[path]
    response.setHeader('Api-Version', '1.55')
    response.statusCode = answer === undefined && path !== '/_ping' ? 404 : 200
    response.end(
      request.method === 'HEAD' ? undefined : JSON.stringify(answer ?? { message: `no answer for ${path}` }),
    )
  })

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-golden-'))
    host = `unix://${join(directory, 's')}`
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen(join(directory, 's'), resolve)
    await promise
  })
  after(async () => {
    server.closeAllConnections()
    server.close()
    await rm(directory, { recursive: true })
  })

  for (const [name, lines] of Object.entries(outputs)) {
    it(`${name} looks as in its golden file`, async () => {
      const texts: string[] = []
      for (const line of lines) {
        const words = line.split(/ --format | -f /)
        const flag = line.includes(' --format ') ? '--format' : '-f'
        const rest = words[1]?.split(/ (?=(?:web|demo)$)/) ?? []
        const args = [...(words[0] ?? '').split(' '), ...(words[1] === undefined ? [] : [flag, ...rest])]
        const { code, stdout, stderr } = await runCli(args, { host, now: goldenNow })
        texts.push(`$ berth ${line}\n${stdout}${stderr}${code === 0 ? '' : `exit code ${code}\n`}`)
      }
      check(name, texts.join('\n'))
    })
  }
})

describe('help', () => {
  it('of berth and of every group looks as in its golden file', async () => {
    const texts = [
      await runCli(['--help']),
      ...(await Promise.all(
        [
          'builder',
          'checkpoint',
          'container',
          'context',
          'execs',
          'image',
          'network',
          'system',
          'volume',
        ].map((group) => runCli([group, '--help'])),
      )),
    ]
    check('help', texts.map(({ stdout }) => stdout).join('\n----\n\n'))
  })

  it('of every command looks as in its golden file, and its summary is that of the list', async () => {
    const texts: string[] = []
    for (const { names, hidden, load } of entries) {
      const [name = ''] = names
      if (hidden === true) continue
      const { code, stdout } = await runCli([...name.split(' '), '--help'])
      assert.equal(code, 0, name)
      const { flags } = await load()
      for (const [flag, { help }] of Object.entries(flags)) assert.notEqual(help, '', `${name} --${flag}`)
      texts.push(stdout)
    }
    check('commands', texts.join('\n----\n\n'))
  })

  it('has every spelling of a command only once', () => {
    const names = entries.flatMap((entry) => entry.names)
    assert.equal(new Set(names).size, names.length)
  })
})

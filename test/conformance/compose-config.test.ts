/**
 * The corpus of project files: `config` of berth and of the real Compose have to come to the same, as JSON byte for byte,
 * since hashes are taken of it, and as YAML in what it means. A case is NAME.yaml, with NAME.override.yaml merged into it where
 * there is one; its first lines may say `# args: …` for the command line and `# env: A=1;B=2` for the shell. Cases named
 * error-… have to be refused by both. What differs on purpose is not here but in docs/compose.md, each with its reason.
 * BERTH_CORPUS=NAME,NAME looks at these alone.
 */
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { parse } from 'yaml'
import { missingPeers } from '#test/support/peers.ts'
import { runCli } from '#test/support/cli.ts'

const CORPUS = join(import.meta.dirname, 'compose-corpus')
const SHARE = '/tmp/peers-share'
const NAMESPACE = join(process.env['PEERS_DIR'] ?? '/var/tmp/peers', 'ns/mnt')
const wanted = process.env['BERTH_CORPUS']?.split(',')

const names = readdirSync(CORPUS)
  .filter((file) => file.endsWith('.yaml') && !file.endsWith('.override.yaml'))
  .map((file) => file.slice(0, -'.yaml'.length))
  .filter((name) => wanted?.includes(name) !== false)

interface Case {
  readonly env: Readonly<Record<string, string>>
  /** After `compose`. */
  readonly argv: readonly string[]
}

function readCase(name: string, format: 'json' | 'yaml'): Case {
  const lines = readFileSync(join(CORPUS, `${name}.yaml`), 'utf8').split('\n')
  const said = (key: string): string | undefined =>
    lines.find((line) => line.startsWith(`# ${key}: `))?.slice(key.length + 4)
  const env = (said('env') ?? '')
    .split(';')
    .filter((text) => text !== '')
    .map((text) => text.split(/=(.*)/s).slice(0, 2))
  const args = (said('args') ?? '').split(' ').filter((text) => text !== '')
  const at = args.indexOf('config')
  const [before, command] = at === -1 ? [args, ['config']] : [args.slice(0, at), args.slice(at)]
  const override = existsSync(join(CORPUS, `${name}.override.yaml`)) ? ['-f', `${name}.override.yaml`] : []
  return {
    env: { HOME: '/root', PATH: '/usr/bin:/bin', ...Object.fromEntries(env) },
    argv: ['-f', `${name}.yaml`, ...override, ...before, ...command, '--format', format],
  }
}

describe('config, beside the real Compose', { skip: missingPeers() }, () => {
  let here = ''
  before(() => {
    here = mkdtempSync(join(SHARE, 'corpus-'))
    cpSync(CORPUS, here, { recursive: true })
    askAll(here)
  })
  after(() => rmSync(here, { recursive: true, force: true }))

  for (const name of names) {
    it(name, async () => {
      for (const format of ['json', 'yaml'] as const) {
        const theirs = {
          code: Number(read(here, name, format, 'code')),
          text: read(here, name, format, 'out'),
        }
        const { env, argv } = readCase(name, format)
        const ours = await runCli(['compose', ...argv], { env, cwd: here })
        if (theirs.code !== 0) {
          assert.notEqual(ours.code, 0, `it has to be refused: ${read(here, name, format, 'err')}`)
          assert.notEqual(ours.stderr, '')
          return
        }
        assert.equal(ours.code, 0, ours.stderr)
        const text = ours.stdout.replaceAll(SHARE, '/share')
        if (format === 'json') assert.equal(text.trim(), theirs.text.trim())
        else assert.deepEqual(parse(text), parse(theirs.text))
      }
    })
  }
})

/** Asks the real Compose about every case in one go: what it says is in files beside the case. */
function askAll(here: string): void {
  const lines = names.flatMap((name) =>
    (['json', 'yaml'] as const).map((format) => {
      const { env, argv } = readCase(name, format)
      const words = [
        'env',
        '-i',
        ...Object.entries(env).map(([key, value]) => `${key}=${value}`),
        'docker',
        'compose',
        ...argv,
      ]
      return `${words.map(quoted).join(' ')} > ${name}.${format}.out 2> ${name}.${format}.err; echo $? > ${name}.${format}.code`
    }),
  )
  writeFileSync(join(here, 'ask.sh'), `cd ${here.replace(SHARE, '/share')}\n${lines.join('\n')}\n`)
  const script = join(here, 'ask.sh').replace(SHARE, '/share')
  const { status, stderr } = spawnSync('nsenter', [`--mount=${NAMESPACE}`, '--wdns=/', 'sh', script], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}

function read(here: string, name: string, format: string, what: string): string {
  return readFileSync(join(here, `${name}.${format}.${what}`), 'utf8')
}

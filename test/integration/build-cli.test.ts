/** `berth build` and its relatives against a real daemon: what a person types, and what they get. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { hashSync } from 'bcryptjs'
import { runCli, type CliOptions, type CliResult } from '#test/support/cli.ts'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { EngineApi } from '#test/support/engine-api.ts'

const BERTH = join(import.meta.dirname, '../../src/bin/berth.ts')

let api: EngineApi
let directory = ''

before(async () => {
  api = await EngineApi.start()
  directory = mkdtempSync(join(tmpdir(), 'berth-build-e2e-'))
})
after(async () => {
  await api[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

function write(path: string, text: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true })
  writeFileSync(join(directory, path), text)
}

async function berth(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return runCli(args, { host: api.daemon.host, cwd: directory, now: Date.now(), ...options })
}

/** What a command prints that must succeed. */
async function says(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const result = await berth(args, options)
  assert.equal(result.code, 0, `berth ${args.join(' ')}: ${result.stderr}${result.stdout}`)
  return result
}

describe('berth build', () => {
  it('builds several stages, again from the cache, and says which file made it do something again', async () => {
    write(
      'app/Dockerfile',
      'FROM busybox AS build\nCOPY a b /src/\nRUN cat /src/a /src/b > /out\nFROM busybox\nCOPY --from=build /out /out\nCOPY c /c\nCMD ["cat", "/out"]\n',
    )
    for (const name of ['a', 'b', 'c']) write(`app/${name}`, `${name}\n`)
    const first = await says(['build', '-t', 'app', 'app'])
    assert.match(first.stderr, /#\d+ \[build 3\/3\] RUN cat/)
    assert.equal((await says(['run', '--rm', 'app'])).stdout, 'a\nb\n')

    const again = await says(['build', '--explain', '-t', 'app', 'app'])
    assert.match(again.stderr, /Every step was taken from the cache\.\n/)
    assert.doesNotMatch(again.stderr, /DONE.*\n.*RUN/)

    write('app/b', 'changed\n')
    const changed = await says(['build', '--explain', '--progress', 'quiet', '-t', 'app', 'app'])
    const lines = changed.stderr.trim().split('\n')
    assert.match(
      lines[0] ?? '',
      /^\[build 2\/3\] COPY a b \/src\/: file (src\/)?b changed \([0-9a-f]{12} → [0-9a-f]{12}\)$/,
    )
    assert.equal(lines.filter((line) => line.includes('COPY c /c') && line.includes('file')).length, 0)
    assert.equal((await says(['run', '--rm', 'app'])).stdout, 'a\nchanged\n')

    const why = await says(['build', 'why'])
    assert.match(why.stdout, /file (src\/)?b changed/)
  })

  it('ends with the place of a RUN that failed, and commits nothing', async () => {
    write('bad/Dockerfile', 'FROM busybox\nRUN echo words && \\\n    exit 3\nRUN never\n')
    const { code, stderr } = await berth(['build', '-t', 'bad', 'bad'])
    assert.equal(code, 1)
    assert.match(stderr, / > \[2\/3\] RUN echo words &&\s+exit 3:\n\d+\.\d{3} words\n------\nDockerfile:2\n/)
    assert.match(stderr, / 2 \| >>> RUN echo words && \\\n {3}3 \| >>> {5}exit 3\n/)
    assert.match(
      stderr,
      /\nERROR: failed to build: failed to solve: process "\/bin\/sh -c echo words && +exit 3" did not complete successfully: exit code: 3\n$/,
    )
    assert.notEqual((await berth(['image', 'inspect', 'bad'])).code, 0)
  })

  it('shows a mistake in the Dockerfile once, with its line', async () => {
    write('typo/Dockerfile', 'FROM busybox\nRUNN x\n')
    const { code, stderr } = await berth(['build', 'typo'])
    assert.equal(code, 1)
    assert.equal(stderr.match(/2 \| >>> RUNN x/g)?.length, 1, stderr)
    assert.match(
      stderr,
      /ERROR: failed to build: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN/,
    )
  })

  it('takes few hexadecimal digits for a name and not for the beginning of an id', async () => {
    const id = (await says(['images', '--no-trunc', '--quiet', 'busybox'])).stdout
      .trim()
      .slice('sha256:'.length)
    const from = async (name: string): Promise<CliResult> =>
      berth(['build', '-'], {
        stdin: `FROM scratch\nCOPY --from=${name} /bin/busybox /\nFROM ${name}\nCOPY --from=0 /busybox /b\n`,
      })
    const short = id.slice(0, 11)
    assert.match((await from(short)).stderr, /docker\.io\/library\/[0-9a-f]{11}:latest|pull/)
    assert.equal((await from(id.slice(0, 12))).code, 0)
    await says(['tag', 'busybox', short])
    assert.equal((await from(short)).code, 0)
    await says(['rmi', `${short}:latest`])
  })

  it('says where a name that nobody has is given to --chown, and takes root', async () => {
    write('chown/f', 'f')
    write('chown/Dockerfile', 'FROM busybox\nCOPY --chown=jane:33 f /f\nRUN stat -c "owned by %u:%g" /f\n')
    const { stderr } = await says(['build', 'chown'])
    assert.match(stderr, /#\d+ \d+\.\d+ warning: line 2: no user jane in \/etc\/passwd here: root is taken\n/)
    assert.match(stderr, /owned by 0:33/)
  })

  it('takes stdin: a Dockerfile, a tar, and a Dockerfile for a directory', async () => {
    await says(['build', '-t', 'piped', '-'], { stdin: 'FROM busybox\nRUN echo piped > /x\n' })
    assert.equal((await says(['run', '--rm', 'piped', 'cat', '/x'])).stdout, 'piped\n')
    write('files/data', 'data\n')
    await says(['build', '-t', 'other', '-f', '-', 'files'], { stdin: 'FROM busybox\nCOPY data /data\n' })
    assert.equal((await says(['run', '--rm', 'other', 'cat', '/data'])).stdout, 'data\n')
  })

  it('leaves out what the ignore file of a Dockerfile elsewhere says, and that of the context then does not count', async () => {
    write('ignoring/a', 'a')
    write('ignoring/b', 'b')
    write('ignoring/.dockerignore', 'b\n')
    write('elsewhere', 'FROM busybox\nCOPY . /all\nCMD ["ls", "/all"]\n')
    write('elsewhere.dockerignore', 'a\n')
    await says(['build', '-t', 'ignoring', '-f', 'elsewhere', 'ignoring'])
    assert.equal((await says(['run', '--rm', 'ignoring'])).stdout, 'b\n')
  })

  it('sends a directory that the engine does not see, without what is ignored', () => {
    // In a mount namespace of its own, under a path where the engine sees nothing: as from within a container.
    const script = `set -e
      mkdir "$1"; mount -t tmpfs none "$1"; cd "$1"
      mkdir sub; echo one > sub/a; ln sub/a sub/hard; ln -s a sub/soft; echo big > ignored; chmod 750 sub/a
      echo ignored > .dockerignore
      printf 'FROM busybox\\nCOPY . /all\\nRUN test ! -e /all/ignored\\nCMD ["sh", "-c", "cat /all/sub/* && ls -ln /all/sub/a | cut -c1-19"]\\n' > Dockerfile
      "$2" "$3" -H "$4" build -t sent . >&2
      echo two > sub/a
      "$2" "$3" -H "$4" build --explain -t sent . >&2`
    const place = join(directory, 'unseen')
    const args = ['-m', 'sh', '-c', script, 'sh', place, process.execPath, BERTH, api.daemon.host]
    const { status, stderr } = spawnSync('unshare', args, { encoding: 'utf8', timeout: 60_000 })
    assert.equal(status, 0, stderr)
    assert.match(stderr, /COPY \. \/all: file sub\/a changed/)
    const { code, stdout, stderr: complaint } = api.daemon.berth('run', '--rm', 'sent')
    assert.deepEqual([code, stdout], [0, 'two\ntwo\ntwo\n-rwxr-x---    2 0  \n'], complaint)
  })

  it('writes what came of it here: files, archives, ids', async () => {
    write('out/Dockerfile', 'FROM scratch\nCOPY data /sub/data\n')
    write('out/data', 'hello')
    await says(['build', '-o', 'result', 'out'])
    assert.deepEqual(readdirSync(join(directory, 'result')), ['sub'])
    assert.equal(readFileSync(join(directory, 'result/sub/data'), 'utf8'), 'hello')
    await says(['build', '-t', 'out', '-o', 'type=oci,dest=out.tar', 'out'])
    assert.match((await says(['load', '-i', join(directory, 'out.tar')])).stdout, /Loaded image: out:latest/)
    const { stdout } = await says(['build', '-q', '--iidfile', 'iid', '--metadata-file', 'meta', 'out'])
    assert.equal(readFileSync(join(directory, 'iid'), 'utf8'), stdout.trim())
    assert.ok(statSync(join(directory, 'meta')).size > 0)
  })

  it('gives secrets to the one RUN that asks, and to nothing else', async () => {
    write(
      'secret/Dockerfile',
      'FROM busybox\nRUN --mount=type=secret,id=token,required=true cat /run/secrets/token | wc -c > /length\nRUN test ! -e /run/secrets/token\n',
    )
    write('token', 'very-secret-words')
    const { stderr } = await says(['build', '-t', 'secret', '--secret', 'id=token,src=token', 'secret'])
    assert.doesNotMatch(stderr, /very-secret-words/)
    assert.equal((await says(['run', '--rm', 'secret', 'cat', '/length'])).stdout.trim(), '17')
    const missing = await berth(['build', '--no-cache', 'secret'])
    assert.notEqual(missing.code, 0)
  })

  it('says what --check, --call outline and targets find, without building', async () => {
    write(
      'check/Dockerfile',
      '# the end\nFROM busybox as end\nARG WHO=you\nLABEL a=$NOBODY b=$PATH\nCMD echo $WHO\n',
    )
    const checked = await berth(['build', '--check', 'check'])
    assert.equal(checked.code, 1)
    assert.match(checked.stdout, /JSONArgsRecommended|FromAsCasing/)
    assert.deepEqual(checked.stdout.match(/undefined variable.*/g), ["undefined variable '$NOBODY'"])
    assert.match((await says(['build', '--call', 'targets', 'check'])).stdout, /end/)
    assert.match((await says(['build', '--call', 'outline', 'check'])).stdout, /WHO/)
  })

  it('is canceled by Ctrl-C within moments, and leaves nothing running', async () => {
    write('slow/Dockerfile', 'FROM busybox\nRUN echo going; sleep 987\n')
    const args = [BERTH, '-H', api.daemon.host, 'build', '-t', 'slow', join(directory, 'slow')]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let text = ''
    child.stderr.setEncoding('utf8')
    for await (const chunk of child.stderr) {
      text += String(chunk)
      if (text.includes('going')) break
    }
    child.kill('SIGINT')
    const [code] = (await once(child, 'exit')) as [number]
    assert.equal(code, 130)
    assert.notEqual((await berth(['image', 'inspect', 'slow'])).code, 0)
    await api.daemon.assertNoLeaks()
  })
})

describe('berth build with a registry', () => {
  const HOST = '127.0.0.1:5000'

  it('pushes what it has made, and takes a private base image, by what login has stored', async () => {
    const config = join(directory, 'config')
    mkdirSync(config)
    writeFileSync(join(config, 'htpasswd'), `ann:${hashSync('sesame', 4)}\n`)
    const registry = { htpasswd: join(config, 'htpasswd'), access: { admins: ['ann'] } }
    writeFileSync(join(config, 'daemon.json'), JSON.stringify({ registry }))
    const args = ['--config-file', join(config, 'daemon.json'), '--registry-listen', HOST]
    await using other = await EngineApi.start({ args })
    const ann = (...words: string[]): void => {
      const { code, stderr } = other.daemon.berth('--config', config, ...words)
      assert.equal(code, 0, `${words.join(' ')}: ${stderr}`)
    }
    write('base/Dockerfile', 'FROM busybox\nRUN echo base > /base\n')
    write('child/Dockerfile', `FROM ${HOST}/ann/base\nRUN cat /base\n`)
    const base = join(directory, 'base')
    const anonymous = other.daemon.berth('build', '-t', `${HOST}/ann/base`, '--push', base)
    assert.match(anonymous.stderr, /ERROR: failed to build: .*(unauthorized|denied|no basic auth)/i)
    ann('login', '-u', 'ann', '-p', 'sesame', HOST)
    ann('build', '-t', `${HOST}/ann/base`, '--push', base)
    ann('rmi', '-f', `${HOST}/ann/base`)
    ann('build', '--pull', '--no-cache', '-t', 'child', join(directory, 'child'))
    ann('run', '--rm', 'child', 'test', '-e', '/base')
  })
})

describe('POST /build/cancel', () => {
  it('ends the build of that id, whose client is told, and leaves nothing', async () => {
    const context = await tarOf(member({ path: 'Dockerfile' }, 'FROM busybox\nRUN sleep 976\n'))
    const building = api.daemon.call('POST', '/build?buildid=mine&t=mine', context)
    let status = 404
    // It is known as soon as it has begun.
    for (let i = 0; status === 404 && i < 2000; i++) {
      await new Promise((resolve) => setImmediate(resolve))
      status = (await api.daemon.call('POST', '/build/cancel?id=mine')).status
    }
    assert.equal(status, 204)
    assert.match((await building).text, /build mine was cancelled/)
    assert.notEqual((await berth(['image', 'inspect', 'mine'])).code, 0)
    assert.equal((await api.daemon.call('POST', '/build/cancel?id=mine')).status, 404)
    await api.daemon.assertNoLeaks()
  })
})

describe('berth builder', () => {
  it('shows what the cache holds, and gives it back', async () => {
    const records = (await says(['builder', 'du', '--format', '{{.CacheType}} {{.Description}}'])).stdout
    assert.match(records, /regular .*RUN/)
    const { stdout } = await says(['builder', 'prune', '-a', '-f'])
    assert.match(stdout, /Total reclaimed space: \d/)
    assert.doesNotMatch(
      (await says(['builder', 'du', '--format', '{{.CacheType}} {{.Description}}'])).stdout,
      /RUN/,
    )
    assert.match((await says(['system', 'df'])).stdout, /Build Cache/)
  })
})

/** A real daemon that builds from what web servers and git have, and from parts of directories. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { runCli, type CliResult } from '#test/support/cli.ts'
import { EngineApi } from '#test/support/engine-api.ts'

const PORT = 8099
const WEB = `http://127.0.0.1:${PORT}`

/** Serves the files of a directory with entity tags, and writes down what it was asked. */
const SERVER = `
const [directory, log, port] = process.argv.slice(1)
require('node:http').createServer((request, response) => {
  const fs = require('node:fs')
  const path = new URL(request.url, 'http://x').pathname
  fs.readFile(directory + path, (error, bytes) => {
    const etag = error ? '' : '"' + require('node:crypto').hash('sha1', bytes) + '"'
    const status = error ? 404 : request.headers['if-none-match'] === etag ? 304 : 200
    fs.appendFileSync(log, status + ' ' + path + '\\n')
    response.writeHead(status, error ? {} : { etag }).end(status === 200 ? bytes : undefined)
  })
}).listen(Number(port), '127.0.0.1', () => console.log('ready'))
`

let api: EngineApi
let web: ChildProcess
let directory = ''

before(async () => {
  api = await EngineApi.start()
  directory = mkdtempSync(join(tmpdir(), 'berth-sources-e2e-'))
  mkdirSync(join(directory, 'www'))
  // In the daemon's network, where its loopback is.
  const program = [process.execPath, '-e', SERVER, join(directory, 'www'), join(directory, 'log'), `${PORT}`]
  web = spawn('nsenter', [`--net=/run/netns/${api.daemon.marks.netns}`, ...program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const _ of web.stdout ?? []) break
})
after(async () => {
  const ended = new Promise((resolve) => web.once('exit', resolve))
  web.kill('SIGKILL')
  await ended
  await api[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

function write(path: string, text: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true })
  writeFileSync(join(directory, path), text)
}

/** What the server was asked since the last time. */
function asked(): readonly string[] {
  const lines = readFileSync(join(directory, 'log'), 'utf8').trim().split('\n')
  writeFileSync(join(directory, 'log'), '')
  return lines
}

async function says(...args: readonly string[]): Promise<CliResult> {
  const result = await runCli(args, { host: api.daemon.host, cwd: directory, now: Date.now() })
  assert.equal(result.code, 0, `berth ${args.join(' ')}: ${result.stderr}${result.stdout}`)
  return result
}

async function prints(image: string, ...command: readonly string[]): Promise<string> {
  return (await says('run', '--rm', image, ...command)).stdout
}

function repository(): void {
  const work = join(directory, 'work')
  const git = (...args: readonly string[]): void => {
    const identity = ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'init.defaultBranch=main']
    execFileSync('git', [...identity, '-C', work, ...args], { stdio: 'pipe' })
  }
  write('work/Dockerfile', 'FROM busybox\nCOPY text /text\n')
  write('work/text', 'from git\n')
  git('init', '-q')
  git('add', '-A')
  git('commit', '-q', '-m', 'first')
  const bare = join(directory, 'www/team/app.git')
  execFileSync('git', ['clone', '-q', '--bare', work, bare], { stdio: 'pipe' })
  execFileSync('git', ['-C', bare, 'update-server-info'])
}

describe('builds', () => {
  it('add files of web servers, and fetch them again only when they have changed', async () => {
    write('www/a.txt', 'one\n')
    write('www/fixed.txt', 'fixed\n')
    const checksum = digestOf('fixed\n')
    write(
      'web/Dockerfile',
      `FROM busybox\nADD ${WEB}/a.txt /got/\nADD --checksum=${checksum} ${WEB}/fixed.txt /got/\nRUN stat -c %a /got/a.txt > /mode\n`,
    )
    await says('build', '-t', 'web', 'web')
    assert.equal(await prints('web', 'cat', '/got/a.txt', '/got/fixed.txt', '/mode'), 'one\nfixed\n600\n')
    assert.deepEqual([...asked()].sort(), ['200 /a.txt', '200 /fixed.txt'])

    const again = await says('build', '--explain', '-t', 'web', 'web')
    assert.match(again.stderr, /Every step was taken from the cache\./)
    assert.deepEqual(asked(), ['304 /a.txt'])

    write('www/a.txt', 'two\n')
    await says('build', '-t', 'web', 'web')
    assert.equal(await prints('web', 'cat', '/got/a.txt'), 'two\n')
  })

  it('leave out of a directory what ADD and COPY exclude', async () => {
    for (const path of ['a.txt', 'a.md', 'sub/b.txt', 'sub/b.md', 'sub/keep.md'])
      write(`out/from/${path}`, path)
    for (const instruction of ['ADD', 'COPY']) {
      write(
        'out/Dockerfile',
        `FROM busybox\n${instruction} --exclude=**/*.md --exclude=!sub/keep.md from /got/\nRUN cd /got && find . -type f | sort > /names\n`,
      )
      await says('build', '-t', 'out', 'out')
      assert.equal(await prints('out', 'cat', '/names'), './a.txt\n./sub/b.txt\n./sub/keep.md\n', instruction)
    }
  })

  const git = spawnSync('git', ['--version']).status === 0
  it('add repositories, and take them for contexts', { skip: !git && 'no git' }, async () => {
    repository()
    write('git/Dockerfile', `FROM busybox\nADD ${WEB}/team/app.git#main /src/\nRUN ls -A /src > /names\n`)
    await says('build', '-t', 'git', 'git')
    assert.equal(await prints('git', 'cat', '/src/text', '/names'), 'from git\nDockerfile\ntext\n')
    asked()
    await says('build', '-t', 'git', 'git')
    assert.ok(!asked().some((line) => line.includes('/objects/')))

    await says('build', '-t', 'remote', `${WEB}/team/app.git`)
    assert.equal(await prints('remote', 'cat', '/text'), 'from git\n')
  })

  it('take archives and Dockerfiles of web servers for contexts', async () => {
    write('packed/Dockerfile', 'FROM busybox\nCOPY text /text\n')
    write('packed/text', 'from an archive\n')
    execFileSync('tar', ['-czf', join(directory, 'www/c.tgz'), '-C', join(directory, 'packed'), '.'])
    await says('build', '-t', 'archive', `${WEB}/c.tgz`)
    assert.equal(await prints('archive', 'cat', '/text'), 'from an archive\n')

    write('www/Dockerfile', 'FROM busybox\nRUN echo alone > /text\n')
    await says('build', '-t', 'alone', `${WEB}/Dockerfile`)
    assert.equal(await prints('alone', 'cat', '/text'), 'alone\n')
  })

  it('mount a context without what is ignored', async () => {
    write('bind/.dockerignore', 'secret\n')
    write('bind/secret', 'secret\n')
    write('bind/shown', 'shown\n')
    write('bind/Dockerfile', 'FROM busybox\nRUN --mount=type=bind,target=/context ls -A /context > /names\n')
    await says('build', '-t', 'bind', 'bind')
    assert.equal(await prints('bind', 'cat', '/names'), '.dockerignore\nDockerfile\nshown\n')
  })

  it('leave what they have fetched, until it is pruned', async () => {
    const { stdout } = await says('builder', 'du', '--verbose')
    assert.match(stdout, new RegExp(`http url ${WEB}/a.txt`))
    assert.deepEqual(readdirSync(join(api.daemon.marks.dataRoot, 'build/contexts')), [])

    await says('builder', 'prune', '--all', '--force')

    for (const place of ['downloads', 'git', 'received']) {
      assert.deepEqual(readdirSync(join(api.daemon.marks.dataRoot, 'build', place)), [], place)
    }
  })
})

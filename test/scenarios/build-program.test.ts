/**
 * A program is built the way people build one: a compiler installed by apt through the container's own network, a small final
 * image, a file edited. And the Dockerfiles of tutorials, with one instruction per layer and with all in one.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { humanSize } from '#cli/format/units.ts'
import { mirrorAnswers } from '#test/support/debian-mirror.ts'
import { output } from '../../tools/run-program.ts'
import { PrivateEngine } from '../../tools/private-engine.ts'

const REPOSITORY = join(import.meta.dirname, '../..')
const IMAGES = join(REPOSITORY, '.cache/images')
const APT = 'apt-get install -y --no-install-recommends'

const PROGRAM = `FROM debian AS build
RUN apt-get update && ${APT} gcc libc6-dev make
WORKDIR /src
COPY Makefile greet.h greet.c ./
RUN make greet.o
COPY main.c ./
RUN make hello

FROM busybox
COPY motd /etc/motd
COPY --from=build --chown=www-data:www-data --chmod=0550 /src/hello /usr/bin/hello
USER www-data
ENTRYPOINT ["hello"]
`

const SOURCES: Readonly<Record<string, string>> = {
  Makefile: 'hello: main.o greet.o\n\t$(CC) -static -o $@ $^\n',
  'greet.h': 'const char *greeting(void);\n',
  'greet.c': '#include "greet.h"\nconst char *greeting(void) { return "Hello"; }\n',
  'main.c': mainOf('world'),
  motd: 'welcome\n',
}

function mainOf(whom: string): string {
  return `#include <stdio.h>
#include "greet.h"
int main(int argc, char **argv) { printf("%s, %s.\\n", greeting(), argc > 1 ? argv[1] : "${whom}"); return 0; }
`
}

describe('building a program', { skip: !mirrorAnswers() && 'no Debian mirror' }, () => {
  const stack = new AsyncDisposableStack()
  let engine: PrivateEngine
  let directory = ''

  before(async () => {
    await output([join(REPOSITORY, 'tools/make-images'), IMAGES])
    directory = mkdtempSync(join(tmpdir(), 'berth-build-program-'))
    stack.defer(() => rmSync(directory, { recursive: true }))
    // In the host's network, where packages come from.
    engine = stack.use(await PrivateEngine.start('program'))
    for (const name of ['debian', 'busybox']) await engine.berth('import', join(IMAGES, `${name}.tar`), name)
  })
  after(() => stack.disposeAsync())

  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  /** What `--explain` says: a line per step that was done again, without digests. */
  const explained = (...args: readonly string[]): readonly string[] => {
    const command = ['-H', engine.host, 'build', '--explain', '--progress', 'quiet', ...args]
    const { status, stderr } = spawnSync(join(REPOSITORY, 'bin/berth'), command, {
      cwd: directory,
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
    return stderr
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/ \([0-9a-f]{12} → [0-9a-f]{12}\)$/, ''))
  }

  it('compiles in one stage, runs from another, and does again what an edited file changes', async () => {
    write('hello/Dockerfile', PROGRAM)
    for (const [name, text] of Object.entries(SOURCES)) write(`hello/${name}`, text)
    const first = explained('-t', 'hello', 'hello')
    assert.ok(
      first.length === 8 && first.every((line) => line.endsWith(': nothing like it was built before')),
      first.join('\n'),
    )
    assert.equal(await engine.berth('run', '--rm', 'hello'), 'Hello, world.\n')
    assert.equal(await engine.berth('run', '--rm', 'hello', 'you'), 'Hello, you.\n')
    const look = ['run', '--rm', '--entrypoint', 'sh', 'hello', '-c']
    assert.equal(
      await engine.berth(
        ...look,
        'id -u; stat -c "%U:%G %a" /usr/bin/hello; cat /etc/motd; ls /src /usr/bin/gcc 2>&1 | wc -l',
      ),
      '33\nwww-data:www-data 550\nwelcome\n2\n',
    )
    const size = Number(await engine.berth('inspect', '--format', '{{.Size}}', 'hello'))
    assert.ok(size < 10_000_000, `${size} bytes: the compiler is in it`)

    const id = await engine.berth('inspect', '--format', '{{.Id}}', 'hello')
    assert.deepEqual(explained('-t', 'hello', 'hello'), ['Every step was taken from the cache.'])
    assert.equal(await engine.berth('inspect', '--format', '{{.Id}}', 'hello'), id)

    write('hello/main.c', mainOf('everybody'))
    assert.deepEqual(explained('-t', 'hello', 'hello'), [
      '[build 6/7] COPY main.c ./: file main.c changed',
      '[build 7/7] RUN make hello: what it builds on was done again: [build 6/7] COPY main.c ./',
      '[stage-1 3/3] COPY --from=build --chown=www-data:www-data --chmod=0550 /src/hello /usr/bin/hello: file src/hello changed',
    ])
    assert.equal(await engine.berth('run', '--rm', 'hello'), 'Hello, everybody.\n')

    write('hello/motd', 'good morning\n')
    assert.deepEqual(explained('-t', 'hello', 'hello'), [
      '[stage-1 2/3] COPY motd /etc/motd: file motd changed',
      '[stage-1 3/3] COPY --from=build --chown=www-data:www-data --chmod=0550 /src/hello /usr/bin/hello: what it builds on was done again: [stage-1 2/3] COPY motd /etc/motd',
    ])
    // New times, the same files; and what was once built is still known.
    for (const [name, text] of Object.entries(SOURCES)) write(`hello/${name}`, text)
    assert.deepEqual(explained('-t', 'hello', 'hello'), ['Every step was taken from the cache.'])
    assert.equal(await engine.berth('inspect', '--format', '{{.Id}}', 'hello'), id)
  })

  it('shows layers and sizes, one per instruction or one for all', async () => {
    const [less, nano] = [`${APT} less`, `${APT} nano`]
    write('apart/Dockerfile', `FROM debian\nRUN mkdir /data\nRUN apt-get update\nRUN ${less}\nRUN ${nano}\n`)
    write(
      'joined/Dockerfile',
      `FROM debian\nRUN mkdir /data && apt-get update && ${less} nano && \\\n    rm -rf /var/lib/apt/lists/*\n`,
    )
    for (const name of ['apart', 'joined']) {
      explained('-t', name, name)
      assert.match(
        await engine.berth('run', '--rm', name, 'sh', '-c', 'nano --version; less --version; ls -d /data'),
        /nano.*less.*\n\/data\n$/s,
      )
    }

    const apart = await history('apart')
    const joined = await history('joined')
    assert.deepEqual(
      apart.map(({ by }) => by),
      [nano, less, 'apt-get update', 'mkdir /data', ''].map(
        (command) => command && `RUN /bin/sh -c ${command} # buildkit`,
      ),
    )
    assert.equal(joined.length, 2)
    // Each RUN has its size, and together with the base they are the image.
    for (const [name, entries] of [
      ['apart', apart],
      ['joined', joined],
    ] as const) {
      assert.ok(
        entries.every(({ size }) => size > 0),
        JSON.stringify(entries),
      )
      assert.equal(
        Number(await engine.berth('inspect', '--format', '{{.Size}}', name)),
        entries.reduce((sum, { size }) => sum + size, 0),
      )
    }
    // The lists of packages are in a layer of their own, and stay; in the other one they never were.
    assert.ok(apart[2]!.size > 10_000_000 && total(joined) < total(apart) - apart[2]!.size / 2)

    // A name's tree has its layers, each with its size; the tree of all has the images.
    const layers = await engine.berth('images', '--tree', '--no-trunc', 'apart')
    assert.deepEqual(
      [...layers.matchAll(/[├└]─ (RUN .*?|Imported from -) {3,}(\S+)$/gm)].map(([, by, size]) => [by, size]),
      apart.toReversed().map(({ by, size }) => [by || 'Imported from -', humanSize(size, 3)]),
    )
    const tree = await engine.berth('images', '--tree')
    for (const [name, entries] of [
      ['apart', apart],
      ['joined', joined],
    ] as const) {
      const megabytes = (total(entries) / 1e6).toPrecision(3)
      assert.match(tree, new RegExp(`^${name}:latest +[0-9a-f]{12} +${megabytes}MB `, 'm'))
    }
  })

  const history = async (
    name: string,
  ): Promise<readonly { readonly by: string; readonly size: number }[]> => {
    const format = '{{.CreatedBy}}\t{{.Size}}'
    const text = await engine.berth('history', '--no-trunc', '--human=false', '--format', format, name)
    return text
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'))
      .map(([by = '', size]) => ({ by, size: Number(size) }))
  }
})

function total(entries: readonly { readonly size: number }[]): number {
  return entries.reduce((sum, { size }) => sum + size, 0)
}

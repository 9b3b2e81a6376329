/**
 * `make demo`: an engine of its own, images made from Debian's packages, containers run from them, everything shown as it
 * happens and removed at the end, also when interrupted.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { PrivateEngine } from './private-engine.ts'
import { output } from './run-program.ts'

const REPOSITORY = join(import.meta.dirname, '..')
const BERTH = join(REPOSITORY, 'bin/berth')
const IMAGES = join(REPOSITORY, '.cache/images')
const CURL = ['curl', '--silent', '--show-error']
const PAGE =
  'echo "Hello from $(hostname), a container." > /var/www/index.html; exec httpd -f -v -p 80 -h /var/www'

const bold = (text: string): string => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text)

interface Shown {
  readonly what: string
  readonly milliseconds: number
}

/** Runs steps one after the other, shows each with its command and what that prints, and remembers how long it took. */
class Demo {
  readonly #steps: Shown[] = []
  readonly #signal: AbortSignal
  readonly #engine: PrivateEngine

  constructor(engine: PrivateEngine, signal: AbortSignal) {
    this.#engine = engine
    this.#signal = signal
  }

  heading(text: string): void {
    console.log(`\n${bold(`# ${text}`)}`)
  }

  /** Runs `berth …`; what it prints is seen at once. */
  async berth(what: string, args: readonly string[], input?: string): Promise<void> {
    const shell = input === undefined ? '' : `echo '${input.trim()}' | `
    await this.command(what, [BERTH, ...args], {
      shown: `${shell}berth ${args.map(quoted).join(' ')}`,
      input,
    })
  }

  async command(
    what: string,
    argv: readonly string[],
    {
      shown = argv.map(quoted).join(' '),
      input,
    }: { readonly shown?: string; readonly input?: string | undefined } = {},
  ): Promise<void> {
    console.log(`$ ${shown}`)
    await this.timed(what, async () => {
      const child = this.#spawn(argv, [input === undefined ? 'ignore' : 'pipe', 'inherit', 'inherit'])
      child.stdin?.end(input)
      await this.#well(child, shown)
    })
  }

  /** Runs `berth …` on a terminal and types each line when the prompt asks for it. */
  async typed(what: string, args: readonly string[], lines: readonly string[]): Promise<void> {
    const command = `berth ${args.map(quoted).join(' ')}`
    console.log(`$ ${command}`)
    const argv = ['script', '-qec', [BERTH, ...args].map(quoted).join(' '), '/dev/null']
    await this.timed(what, async () => {
      const child = this.#spawn(argv, ['pipe', 'pipe', 'inherit'])
      const left = [...lines]
      child.stdout?.on('data', (chunk: Buffer) => {
        const text = printable(chunk.toString('latin1'))
        process.stdout.write(text)
        if (text.endsWith('# ')) child.stdin?.write(`${left.shift() ?? 'exit'}\n`)
      })
      await this.#well(child, command)
    })
  }

  async timed<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted()
    const start = performance.now()
    const result = await work()
    this.#steps.push({ what, milliseconds: performance.now() - start })
    return result
  }

  summary(): string {
    const width = Math.max(...this.#steps.map(({ what }) => what.length))
    const lines = this.#steps.map(
      ({ what, milliseconds }) => `  ${what.padEnd(width)}  ${seconds(milliseconds)}`,
    )
    return lines.join('\n')
  }

  #spawn(argv: readonly string[], stdio: ('ignore' | 'pipe' | 'inherit')[]): ReturnType<typeof spawn> {
    const [program = '', ...args] = argv
    const env = { ...process.env, BERTH_HOST: this.#engine.host, TERM: process.env['TERM'] ?? 'xterm' }
    return spawn(program, args, { stdio, env, signal: this.#signal })
  }

  async #well(child: ReturnType<typeof spawn>, shown: string): Promise<void> {
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`"${shown}" ended with ${String(code)}`)
  }
}

const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(name, () => interrupted.abort(new Error(name)))

try {
  await main(interrupted.signal)
} catch (error) {
  // What could not be removed suppresses the interruption, and must not be kept quiet.
  if (!interrupted.signal.aborted || error instanceof SuppressedError) throw error
  console.error('\ndemo: interrupted; everything it made is removed')
  process.exitCode = 130
}

async function main(signal: AbortSignal): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error('the demo needs root: it makes namespaces, mounts and a bridge')
  console.log(bold('berth demo: an engine of its own, real images, real containers'))
  console.log("making root filesystems from Debian's packages; the first time takes a minute")
  const makingStart = performance.now()
  await output([join(REPOSITORY, 'tools/make-images'), IMAGES], { signal })
  const making = performance.now() - makingStart
  const startingStart = performance.now()
  await using engine = await PrivateEngine.start('demo')
  const starting = performance.now() - startingStart
  const demo = new Demo(engine, signal)
  console.log(`Debian and busybox are in .cache/images after ${seconds(making)}`)
  console.log(`engine on ${engine.host}, started in ${seconds(starting)}`)

  await images(demo)
  await shells(demo)
  await server(demo, engine)
  await crash(demo, engine)
  await farewell(demo)
  console.log(`\n${bold('What it did, and how long each step took (the command line included)')}`)
  console.log(demo.summary())
  console.log('\nEverything is removed again. Next: README.md, "A tour".')
}

async function images(demo: Demo): Promise<void> {
  demo.heading('Images from root filesystems')
  await demo.berth('import debian', ['import', join(IMAGES, 'debian.tar'), 'debian'])
  await demo.berth('import busybox', ['import', join(IMAGES, 'busybox.tar'), 'busybox'])
  await demo.berth('images', ['images'])
}

async function shells(demo: Demo): Promise<void> {
  demo.heading('A container of a real Debian')
  await demo.berth('run debian', ['run', '--rm', 'debian', 'cat', '/etc/os-release'])
  await demo.berth('run busybox true', ['run', '--rm', 'busybox', 'true'])
  demo.heading('A shell that reads its commands from a pipe')
  await demo.berth(
    'shell, piped',
    ['run', '-i', '--rm', 'debian', 'bash'],
    'echo pid $$ on $(uname -s); id -un\n',
  )
  demo.heading('A shell on a terminal: pid 1, job control, its own processes only')
  await demo.typed(
    'shell, terminal',
    ['run', '-it', '--name', 'shell', 'debian', 'bash', '--norc'],
    ['tty; ps -e', 'echo written >/root/note', 'exit'],
  )
  await demo.berth('diff', ['diff', 'shell'])
  await demo.berth('commit', ['commit', 'shell', 'noted'])
  await demo.berth('run the commit', ['run', '--rm', 'noted', 'cat', '/root/note'])
}

async function server(demo: Demo, engine: PrivateEngine): Promise<void> {
  demo.heading('A server in the background, with a published port')
  await demo.berth('run -d -p', [
    'run',
    '-d',
    '--init',
    '--name',
    'web',
    '-p',
    '127.0.0.1::80',
    'busybox',
    'sh',
    '-c',
    PAGE,
  ])
  await demo.berth('ps', ['ps'])
  await fetchPage(demo, engine, 'curl')
  await demo.berth('exec', ['exec', 'web', 'ps'])
  await demo.berth('stats', ['stats', '--no-stream', 'web'])
  await demo.berth('logs', ['logs', 'web'])
}

async function fetchPage(demo: Demo, engine: PrivateEngine, what: string): Promise<void> {
  const address = (await engine.berth('port', 'web', '80/tcp')).trim()
  // The server inside may need a moment after its container has started.
  await demo.command(what, [...CURL, '--retry', '5', '--retry-connrefused', `http://${address}/`])
}

async function crash(demo: Demo, engine: PrivateEngine): Promise<void> {
  demo.heading('The engine is killed; the server does not notice')
  const address = (await engine.berth('port', 'web', '80/tcp')).trim()
  console.log(`$ kill -9 ${engine.pid}`)
  await demo.timed('kill -9 the engine', async () => engine.down('SIGKILL'))
  await demo.command('curl, no engine', [...CURL, `http://${address}/`])
  await demo.timed('start the engine again', async () => engine.up())
  await demo.berth('ps', ['ps', '--format', '{{.Names}}: {{.Status}}, {{.Ports}}'])
}

async function farewell(demo: Demo): Promise<void> {
  demo.heading('Stop and remove')
  await demo.berth('stop', ['stop', 'web'])
  await demo.berth('ps -a', ['ps', '-a', '--format', 'table {{.Names}}\\t{{.Image}}\\t{{.Status}}'])
  await demo.berth('rm', ['rm', 'web', 'shell'])
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** Without the terminal's own conversation (modes, colours, title) and the carriage returns before line feeds. */
function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll('\r', '')
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(1)} s`
}

import type { Project } from '#compose/model/project.ts'
import { commandError } from '../../errors.ts'
import { bool, integer, list, string, type Values } from '../../flags.ts'
import { bringUp } from '../carry-out.ts'
import { Foreground } from '../foreground.ts'
import { LogPrinter, logStyle } from '../logs/log-printer.ts'
import { type ComposeContext, subcommand } from '../subcommand.ts'
import { convergeFlags, imageWishesOf, wishesOf } from '../up-flags.ts'
import { waitForAll } from '../wait-for-all.ts'

const flags = {
  ...convergeFlags,
  'abort-on-container-exit': bool('Stop all containers as soon as one ends'),
  'abort-on-container-failure': bool('Stop all containers as soon as one fails'),
  attach: list('Show the output of these services alone'),
  'attach-dependencies': bool('Show the output of what the named services need, too'),
  detach: bool('In the background', { short: 'd' }),
  'exit-code-from': string('Return the exit code of this service, and stop all when it ends'),
  menu: bool('Has no effect', { hidden: true }),
  'no-attach': list('Do not show the output of these services'),
  'no-color': bool('Output without colours'),
  'no-log-prefix': bool('Output without names before it'),
  'quiet-build': bool('Build without showing progress'),
  timestamps: bool('Show when it was written'),
  wait: bool('Wait until services run, or are healthy; in the background'),
  'wait-timeout': integer('Seconds to wait at most'),
  watch: bool('Follow the files, and bring changes into containers', { short: 'w' }),
} as const

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Make and start what the files describe',
  flags,
  async run({ args, flags: given }, context) {
    checkFlags(given)
    const project = await context.source.load(args, { dependencies: !given['no-deps'] })
    const wishes = wishesOf(args, given, context)
    const since = String(Math.floor(context.io.now() / 1000))
    await bringUp(project, wishes, imageWishesOf(given, context), { stopTimeout: given.timeout }, context)
    if (context.globals['dry-run'] || given['no-start']) return 0
    if (given.wait) return waitForAll(project, given['wait-timeout'], context)
    if (given.detach) return 0
    const shown = shownServices(project, args, given)
    const session = new Foreground(project, foregroundOptions(project, shown, given, since, context), context)
    if (!given.watch) return session.run()
    const { watchProject } = await import('../watch/watch-project.ts')
    using _watching = await watchProject(project, { prune: true, quiet: false }, context)
    return await session.run()
  },
})

type Given = Values<typeof flags>

function checkFlags(given: Given): void {
  const aborts =
    given['abort-on-container-exit'] || given['abort-on-container-failure'] || given['exit-code-from'] !== ''
  if (given.detach && aborts)
    throw commandError(
      '--abort-on-container-exit, --abort-on-container-failure and --exit-code-from do not go with --detach',
    )
  if (given.wait && aborts)
    throw commandError(
      '--wait does not go with --abort-on-container-exit, --abort-on-container-failure or --exit-code-from',
    )
  if (given['abort-on-container-exit'] && given['abort-on-container-failure']) {
    throw commandError('--abort-on-container-exit and --abort-on-container-failure are incompatible')
  }
}

/** Named services, without what only they need, unless it is asked for; never those that say `attach: false`. */
function shownServices(project: Project, named: readonly string[], given: Given): ReadonlySet<string> {
  const all = Object.keys(project.services)
  const chosen =
    given.attach.length > 0 ? given.attach : named.length === 0 || given['attach-dependencies'] ? all : named
  const unknown = [...given.attach, ...given['no-attach']].find((name) => !all.includes(name))
  if (unknown !== undefined) throw commandError(`no such service: ${unknown}`)
  const isShown = (name: string): boolean =>
    !given['no-attach'].includes(name) &&
    (given.attach.includes(name) || project.services[name]?.attach !== false)
  return new Set(chosen.filter(isShown))
}

function foregroundOptions(
  project: Project,
  shown: ReadonlySet<string>,
  given: Given,
  since: string,
  { globals, io }: ComposeContext,
): ConstructorParameters<typeof Foreground>[1] {
  const exitCodeFrom = given['exit-code-from'] || undefined
  if (exitCodeFrom !== undefined && !Object.hasOwn(project.services, exitCodeFrom))
    throw commandError(`no such service: ${exitCodeFrom}`)
  const names = [...shown].map((name) => `${name}-1`)
  return {
    printer: new LogPrinter(io.stdout, logStyle(given, globals.ansi, io), names),
    shown,
    abortOn:
      given['abort-on-container-exit'] || exitCodeFrom !== undefined
        ? 'exit'
        : given['abort-on-container-failure']
          ? 'failure'
          : undefined,
    exitCodeFrom,
    timestamps: given.timestamps,
    stopTimeout: given.timeout,
    since,
  }
}

import { existsSync, watch as watchFiles } from 'node:fs'
import type { Project, Watch } from '#compose/model/project.ts'
import { errorText } from '../../errors.ts'
import type { ComposeContext } from '../subcommand.ts'
import { applyChanges } from './apply-changes.ts'
import { ruleFor } from './rule.ts'

interface Options {
  /** Remove images that a rebuild has replaced. */
  readonly prune: boolean
  readonly quiet: boolean
}

/** Milliseconds without a further change after which changes are brought into containers together. */
const QUIET = 300

/** Follows the files of `develop.watch` until disposed; what changes is brought into containers, one batch after the other. */
export async function watchProject(
  project: Project,
  options: Options,
  context: ComposeContext,
): Promise<Disposable> {
  const watching = new DisposableStack()
  const say = (text: string): void => (options.quiet ? undefined : context.err(`${text}\n`))
  for (const [service, { develop, build }] of Object.entries(project.services)) {
    for (const trigger of develop?.watch ?? []) {
      if (!existsSync(trigger.path)) {
        context.err(
          `WARN: service ${JSON.stringify(service)}: ${trigger.path}, which is to be watched, does not exist\n`,
        )
        continue
      }
      const rule = ruleFor(trigger, build?.context)
      if (trigger.initial_sync === true)
        await applyChanges({ project, service, trigger, paths: [trigger.path] }, say, context)
      watching.use(
        follow(
          trigger,
          rule,
          (paths) => applyChanges({ project, service, trigger, paths }, say, context),
          context,
        ),
      )
    }
  }
  say('Watch enabled')
  return watching
}

/** Collects changes until it is quiet, and hands them on; the next batch waits for the one before. */
function follow(
  trigger: Watch,
  concerns: (path: string) => boolean,
  apply: (paths: readonly string[]) => Promise<void>,
  { err }: ComposeContext,
): Disposable {
  const changed = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let last: Promise<void> = Promise.resolve()
  const flush = (): void => {
    const paths = [...changed]
    changed.clear()
    last = last.then(() => apply(paths)).catch((error: unknown) => err(`watch: ${errorText(error)}\n`))
  }
  const watcher = watchFiles(trigger.path, { recursive: true }, (_event, name) => {
    const path = name === null ? trigger.path : `${trigger.path}/${name}`
    if (!concerns(path)) return
    changed.add(path)
    clearTimeout(timer)
    timer = setTimeout(flush, QUIET)
  })
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      watcher.close()
    },
  }
}

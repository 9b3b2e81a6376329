import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Project, Watch } from '#compose/model/project.ts'
import { runHooks } from '#compose/execute/hooks.ts'
import { isUp, type ObservedContainer } from '#compose/state/observed.ts'
import copyCommand from '../../commands/container-cp.ts'
import { parseFlags } from '../../flags.ts'
import { bringUp } from '../carry-out.ts'
import { findContainers } from '../containers.ts'
import { delegate } from '../delegate.ts'
import type { ComposeContext } from '../subcommand.ts'
import { convergeFlags, imageWishesOf, wishesOf } from '../up-flags.ts'

export interface Changes {
  readonly project: Project
  readonly service: string
  readonly trigger: Watch
  readonly paths: readonly string[]
}

/** Brings changes into the containers of a service as their trigger says. */
export async function applyChanges(
  changes: Changes,
  say: (text: string) => void,
  context: ComposeContext,
): Promise<void> {
  const { project, service, trigger } = changes
  if (trigger.action === 'rebuild') {
    say(`Rebuilding service ${JSON.stringify(service)} after changes were detected...`)
    await rebuild(project, service, context)
    say(`service ${JSON.stringify(service)} successfully built`)
    return
  }
  const { containers } = await findContainers([service], context)
  const running = containers.filter(isUp)
  if (trigger.action !== 'restart') {
    say(`Syncing service ${JSON.stringify(service)} after ${changes.paths.length} changes were detected`)
    await Promise.all(running.map((container) => sync(container, changes, context)))
  }
  if (trigger.action === 'restart' || trigger.action === 'sync+restart') {
    await Promise.all(running.map(({ id }) => context.client.containers.restart(id)))
    say(`service(s) [${JSON.stringify(service)}] restarted`)
  }
  const { exec } = trigger
  if (trigger.action === 'sync+exec' && exec !== undefined) {
    await Promise.all(running.map((container) => runHooks(context.client, container, [exec], 'watch')))
  }
}

async function rebuild(project: Project, service: string, context: ComposeContext): Promise<void> {
  const { flags } = parseFlags(convergeFlags, ['--build', '--no-deps'], { interspersed: true })
  const alone = {
    ...project,
    services: Object.fromEntries(Object.entries(project.services).filter(([name]) => name === service)),
  }
  const others = Object.fromEntries(Object.entries(project.services).filter(([name]) => name !== service))
  await bringUp(
    { ...alone, disabled: { ...project.disabled, ...others } },
    wishesOf([service], flags, context),
    imageWishesOf(flags, context),
    {},
    context,
  )
}

/** What is there is copied, what is gone is removed. */
async function sync(
  { id }: ObservedContainer,
  { trigger, paths }: Changes,
  context: ComposeContext,
): Promise<void> {
  const { path: root, target = '/' } = trigger
  const inside = (path: string): string => {
    const below = relative(root, path)
    return below === '' ? target : join(target, below)
  }
  const gone = paths.filter((path) => !existsSync(path))
  for (const path of paths.filter((each) => existsSync(each))) {
    const isRoot = relative(root, path) === ''
    // The contents of a directory that exists already, not the directory into itself.
    await delegate(
      copyCommand,
      ['--quiet', '--', isRoot ? `${path}/.` : path, `${id}:${inside(path)}`],
      context,
    )
  }
  if (gone.length > 0) {
    await runHooks(
      context.client,
      { id, name: id },
      [{ command: ['rm', '-rf', ...gone.map(inside)] }],
      'watch',
    )
  }
}

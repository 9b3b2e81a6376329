import type { Subcommand } from './subcommand.ts'

/** A subcommand as far as it must be known before its module is loaded. */
export interface SubcommandEntry {
  /** Every spelling; the first one is its home. */
  readonly names: readonly string[]
  readonly summary: string
  readonly load: () => Promise<Subcommand>
}

type Module = Promise<{ readonly default: Subcommand }>

function entry(names: string, summary: string, module: () => Module): SubcommandEntry {
  return { names: names.split(', '), summary, load: async () => (await module()).default }
}

/** Every subcommand. A module is loaded only when it is called. */
export const subcommands: readonly SubcommandEntry[] = [
  entry('attach', 'Connect this terminal to a container of a service', () => import('./commands/attach.ts')),
  entry('build', 'Build images', () => import('./commands/build.ts')),
  entry(
    'config, convert',
    'Check the project files, and print what they come to',
    () => import('./commands/config.ts'),
  ),
  entry('cp', 'Copy files between containers of a service and this host', () => import('./commands/cp.ts')),
  entry('create', 'Make containers without starting them', () => import('./commands/create.ts')),
  entry('down', 'Stop and remove containers and networks', () => import('./commands/down.ts')),
  entry(
    'events',
    'Follow what happens to the containers of the project',
    () => import('./commands/events.ts'),
  ),
  entry('exec', 'Run another process in a container of a service', () => import('./commands/exec.ts')),
  entry('images', 'List the images that containers were made of', () => import('./commands/images.ts')),
  entry('kill', 'Send a signal to containers', () => import('./commands/kill.ts')),
  entry('logs', 'Show what containers have written', () => import('./commands/logs.ts')),
  entry('ls', 'List projects', () => import('./commands/ls.ts')),
  entry('pause', 'Freeze all processes of containers', () => import('./commands/pause.ts')),
  entry('port', 'Print where a port of a service is published', () => import('./commands/port.ts')),
  entry('ps', 'List containers', () => import('./commands/ps.ts')),
  entry('pull', 'Fetch images', () => import('./commands/pull.ts')),
  entry('push', 'Send images that are built here to their registries', () => import('./commands/push.ts')),
  entry('restart', 'Stop containers and start them again', () => import('./commands/restart.ts')),
  entry('rm', 'Remove stopped containers', () => import('./commands/rm.ts')),
  entry('run', 'Run one command in a new container of a service', () => import('./commands/run.ts')),
  entry('scale', 'Change the number of containers of services', () => import('./commands/scale.ts')),
  entry('start', 'Start containers that are there', () => import('./commands/start.ts')),
  entry('stats', 'Show how much containers use', () => import('./commands/stats.ts')),
  entry('stop', 'Stop containers, and keep them', () => import('./commands/stop.ts')),
  entry('top', 'Show the processes of containers', () => import('./commands/top.ts')),
  entry('unpause', 'Let frozen containers go on', () => import('./commands/unpause.ts')),
  entry('up', 'Make and start what the files describe', () => import('./commands/up.ts')),
  entry('version', 'Print the version', () => import('./commands/version.ts')),
  entry('volumes', 'List the volumes of the project', () => import('./commands/volumes.ts')),
  entry(
    'wait',
    'Wait until a container of the services ends; returns its exit code',
    () => import('./commands/wait.ts'),
  ),
  entry('watch', 'Follow the files, and bring changes into containers', () => import('./commands/watch.ts')),
  entry('why', 'Say why a service is as it is', () => import('./commands/why.ts')),
]

export function findSubcommand(name: string): SubcommandEntry | undefined {
  return subcommands.find(({ names }) => names.includes(name))
}

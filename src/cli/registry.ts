import type { Command } from './command.ts'

/** A command as far as it must be known before its module is loaded. */
export interface Entry {
  /** Every spelling; the first one is its home. */
  readonly names: readonly string[]
  readonly summary: string
  readonly hidden?: boolean
  readonly load: () => Promise<Command>
}

type Module = Promise<{ readonly default: Command }>

function entry(names: string, summary: string, module: () => Module): Entry {
  return {
    names: names.split(', '),
    summary,
    load: async () => (await module()).default,
  }
}

/** Groups of commands, such as `berth container …`. */
export const groups: Readonly<Record<string, string>> = {
  builder: 'Work with builds and their cache',
  checkpoint: 'Write states of containers down',
  container: 'Work with containers',
  context: 'Engines under names, and which of them to use',
  execs: 'What exec has started in containers',
  image: 'Work with images',
  manifest: 'Put images for several platforms under one name, and look at what registries have',
  network: 'Work with networks',
  system: 'The engine as a whole',
  volume: 'Work with volumes',
  why: 'Ask why something does not work',
}

/** What `berth --help` lists first. */
export const common: readonly string[] = [
  'run',
  'exec',
  'ps',
  'build',
  'pull',
  'push',
  'images',
  'login',
  'logout',
  'search',
  'logs',
  'version',
  'info',
]

/** Every command. A module is loaded only when its command is called, so that start-up stays short. */
export const entries: readonly Entry[] = [
  entry('builder du, buildx du', 'Show what is in the build cache', () => import('./commands/builder-du.ts')),
  entry(
    'builder prune, buildx prune',
    'Remove what is in the build cache',
    () => import('./commands/builder-prune.ts'),
  ),
  entry(
    'builder why',
    'Say why the steps of the last build were done again',
    () => import('./commands/builder-why.ts'),
  ),
  entry(
    'checkpoint create',
    'Write down the state of a running container',
    () => import('./commands/checkpoint-create.ts'),
  ),
  entry(
    'checkpoint ls, checkpoint list',
    'List what was written down of a container',
    () => import('./commands/checkpoint-ls.ts'),
  ),
  entry(
    'checkpoint rm, checkpoint remove',
    'Remove what was written down of a container',
    () => import('./commands/checkpoint-rm.ts'),
  ),
  entry(
    'compose',
    'Run applications of several containers, described by a compose.yaml',
    () => import('./commands/compose.ts'),
  ),
  entry(
    'container attach, attach',
    'Connect this terminal to a running container',
    () => import('./commands/container-attach.ts'),
  ),
  entry(
    'container commit, commit',
    'Make an image from what a container changed',
    () => import('./commands/container-commit.ts'),
  ),
  entry(
    'container cp, cp',
    'Copy files between a container and this host',
    () => import('./commands/container-cp.ts'),
  ),
  entry(
    'container create, create',
    'Create a container without starting it',
    () => import('./commands/container-create.ts'),
  ),
  entry(
    'container diff, diff',
    'Show which files of a container were changed',
    () => import('./commands/container-diff.ts'),
  ),
  entry(
    'container exec, exec',
    'Run another process in a running container',
    () => import('./commands/container-exec.ts'),
  ),
  entry(
    'container export, export',
    "Write a container's filesystem as a tar archive",
    () => import('./commands/container-export.ts'),
  ),
  entry(
    'container inspect',
    'Show everything about containers',
    () => import('./commands/container-inspect.ts'),
  ),
  entry('container kill, kill', 'Send a signal to containers', () => import('./commands/container-kill.ts')),
  entry(
    'container logs, logs',
    'Show what a container has written',
    () => import('./commands/container-logs.ts'),
  ),
  entry(
    'container ls, container list, container ps, ps, ls, list',
    'List containers',
    () => import('./commands/container-ls.ts'),
  ),
  entry(
    'container pause, pause',
    'Freeze all processes of containers',
    () => import('./commands/container-pause.ts'),
  ),
  entry('container port, port', 'Show published ports', () => import('./commands/container-port.ts')),
  entry('container prune', 'Remove all stopped containers', () => import('./commands/container-prune.ts')),
  entry(
    'container rename, rename',
    'Give a container another name',
    () => import('./commands/container-rename.ts'),
  ),
  entry(
    'container restart, restart',
    'Stop containers and start them again',
    () => import('./commands/container-restart.ts'),
  ),
  entry(
    'container rm, container remove, rm',
    'Remove containers',
    () => import('./commands/container-rm.ts'),
  ),
  entry('container run, run', 'Create a container and start it', () => import('./commands/container-run.ts')),
  entry('container start, start', 'Start stopped containers', () => import('./commands/container-start.ts')),
  entry(
    'container stats, stats',
    'Show how much containers use, live',
    () => import('./commands/container-stats.ts'),
  ),
  entry('container stop, stop', 'Stop containers', () => import('./commands/container-stop.ts')),
  entry(
    'container top, top',
    'Show the processes of a container',
    () => import('./commands/container-top.ts'),
  ),
  entry(
    'container unpause, unpause',
    'Let frozen containers go on',
    () => import('./commands/container-unpause.ts'),
  ),
  entry(
    'container update, update',
    'Change limits of containers while they run',
    () => import('./commands/container-update.ts'),
  ),
  entry(
    'container wait, wait',
    'Wait until containers stop and print their exit codes',
    () => import('./commands/container-wait.ts'),
  ),
  entry(
    'context create',
    'Create a context: an engine under a name',
    () => import('./commands/context-create.ts'),
  ),
  entry(
    'context export',
    'Write a context as a tar archive into FILE, or with - to stdout',
    () => import('./commands/context-export.ts'),
  ),
  entry(
    'context import',
    'Make a context from what context export has written',
    () => import('./commands/context-import.ts'),
  ),
  entry(
    'context inspect',
    'Show everything about contexts; without CONTEXT, about the one in use',
    () => import('./commands/context-inspect.ts'),
  ),
  entry('context ls, context list', 'List contexts', () => import('./commands/context-ls.ts')),
  entry('context rm, context remove', 'Remove contexts', () => import('./commands/context-rm.ts')),
  entry('context show', 'Print the name of the context in use', () => import('./commands/context-show.ts')),
  entry('context update', 'Change a context', () => import('./commands/context-update.ts')),
  entry('context use', 'Use a context from now on', () => import('./commands/context-use.ts')),
  entry(
    'image build, build, builder build, buildx build',
    'Make an image from a Dockerfile',
    () => import('./commands/image-build.ts'),
  ),
  entry(
    'execs ls, execs list',
    'List what exec has started and still runs',
    () => import('./commands/execs-ls.ts'),
  ),
  entry('execs kill', 'Send a signal to what exec has started', () => import('./commands/execs-kill.ts')),
  entry('image history, history', 'Show how an image was made', () => import('./commands/image-history.ts')),
  entry(
    'image import, import',
    'Make an image from a tar of a filesystem',
    () => import('./commands/image-import.ts'),
  ),
  entry('image inspect', 'Show everything about images', () => import('./commands/image-inspect.ts')),
  entry('image load, load', 'Load images from a tar archive', () => import('./commands/image-load.ts')),
  entry('image ls, image list, images', 'List images', () => import('./commands/image-ls.ts')),
  entry('image prune', 'Remove unused images', () => import('./commands/image-prune.ts')),
  entry('image pull, pull', 'Fetch an image from a registry', () => import('./commands/image-pull.ts')),
  entry('image push, push', 'Send an image to a registry', () => import('./commands/image-push.ts')),
  entry('image rm, image remove, rmi', 'Remove images', () => import('./commands/image-rm.ts')),
  entry('image save, save', 'Write images into a tar archive', () => import('./commands/image-save.ts')),
  entry('image tag, tag', 'Give an image another name', () => import('./commands/image-tag.ts')),
  entry(
    'manifest annotate',
    'Correct for which platform an image of a manifest list is',
    () => import('./commands/manifest-annotate.ts'),
  ),
  entry(
    'manifest create',
    'Begin a manifest list of images that are in a registry',
    () => import('./commands/manifest-create.ts'),
  ),
  entry(
    'manifest inspect',
    'Show a manifest or a manifest list: one begun here, or as a registry has it',
    () => import('./commands/manifest-inspect.ts'),
  ),
  entry('manifest push', 'Send a manifest list to its registry', () => import('./commands/manifest-push.ts')),
  entry(
    'manifest rm',
    'Forget manifest lists that were begun here',
    () => import('./commands/manifest-rm.ts'),
  ),
  entry('network connect', 'Connect a container to a network', () => import('./commands/network-connect.ts')),
  entry('network create', 'Create a network', () => import('./commands/network-create.ts')),
  entry(
    'network disconnect',
    'Disconnect a container from a network',
    () => import('./commands/network-disconnect.ts'),
  ),
  entry(
    'network exposure',
    'Show every port that somebody can reach, from where, and by which rule',
    () => import('./commands/network-exposure.ts'),
  ),
  entry('network inspect', 'Show everything about networks', () => import('./commands/network-inspect.ts')),
  entry('network ls, network list', 'List networks', () => import('./commands/network-ls.ts')),
  entry(
    'network prune',
    'Remove all networks that no container is on',
    () => import('./commands/network-prune.ts'),
  ),
  entry('network rm, network remove', 'Remove networks', () => import('./commands/network-rm.ts')),
  {
    ...entry(
      'system dial-stdio',
      'Connect stdin and stdout to the engine',
      () => import('./commands/system-dial-stdio.ts'),
    ),
    hidden: true,
  },
  entry('system df', 'Show what takes disk space', () => import('./commands/system-df.ts')),
  entry(
    'system events, events',
    'Follow what happens in the engine',
    () => import('./commands/system-events.ts'),
  ),
  entry(
    'system fsck',
    'Check everything that is stored, and repair what is damaged',
    () => import('./commands/system-fsck.ts'),
  ),
  entry(
    'system info, info',
    'Show facts about the engine and its host',
    () => import('./commands/system-info.ts'),
  ),
  entry('system prune', 'Remove everything that is not used', () => import('./commands/system-prune.ts')),
  entry(
    'volume clone',
    'Make a volume with the files of another one',
    () => import('./commands/volume-clone.ts'),
  ),
  entry('volume create', 'Create a volume', () => import('./commands/volume-create.ts')),
  entry(
    'volume export',
    'Write what is in a volume as a tar archive',
    () => import('./commands/volume-export.ts'),
  ),
  entry(
    'volume import',
    'Make a volume with what is in a tar archive',
    () => import('./commands/volume-import.ts'),
  ),
  entry('volume inspect', 'Show everything about volumes', () => import('./commands/volume-inspect.ts')),
  entry('volume ls, volume list', 'List volumes', () => import('./commands/volume-ls.ts')),
  entry('volume prune', 'Remove volumes that no container uses', () => import('./commands/volume-prune.ts')),
  entry('volume rename', 'Give a volume another name', () => import('./commands/volume-rename.ts')),
  entry('volume rm, volume remove', 'Remove volumes', () => import('./commands/volume-rm.ts')),
  entry('volume update', 'Change a volume of a cluster', () => import('./commands/volume-update.ts')),
  entry('inspect', 'Show everything about any kind of object', () => import('./commands/inspect.ts')),
  entry('login', 'Log in to a registry; without SERVER, to Docker Hub', () => import('./commands/login.ts')),
  entry(
    'logout',
    'Forget the credentials for a registry; without SERVER, for Docker Hub',
    () => import('./commands/logout.ts'),
  ),
  entry(
    'registry',
    'Serve a registry of your own, and look after it',
    () => import('./commands/registry.ts'),
  ),
  entry(
    'search',
    'Search a registry for images; a TERM of HOST/WORDS asks that host, others Docker Hub',
    () => import('./commands/search.ts'),
  ),
  entry('version', 'Show the versions of client and engine', () => import('./commands/version.ts')),
  entry('completion', 'Print a completion script for a shell', () => import('./commands/completion.ts')),
  entry(
    'why',
    'Say why a container is in its state: who stopped it, how it ended, what it said last',
    () => import('./commands/why.ts'),
  ),
  entry(
    'why unreachable',
    'Find out why a port of a container is not reached',
    () => import('./commands/why-unreachable.ts'),
  ),
  {
    ...entry('__complete', 'Answer a completion script', () => import('./commands/complete.ts')),
    hidden: true,
  },
]

/** The command that `words` begin with, how many of them name it, and under which name it was called. */
export function findEntry(words: readonly string[]): { entry: Entry; name: string } | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ')
    if (words.length < length) continue
    const found = entries.find(({ names }) => names.includes(name))
    if (found !== undefined) return { entry: found, name }
  }
  return undefined
}

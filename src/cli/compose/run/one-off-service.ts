import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseDotenv } from '#compose/environment/dotenv.ts'
import type { Mount, Port, Service } from '#compose/model/project.ts'
import { plainOf, scalar, type Scalar, type Node } from '#compose/document/node.ts'
import { expandPort } from '#compose/schema/short/port.ts'
import { expandVolume } from '#compose/schema/short/volume.ts'
import { splitWords } from '#compose/schema/short/words.ts'
import { messageOf } from '#base/errors.ts'
import { commandError } from '../../errors.ts'
import { cut } from '../../flags.ts'
import type { Io } from '../../io.ts'

interface Choices {
  readonly 'cap-add': readonly string[]
  readonly 'cap-drop': readonly string[]
  readonly entrypoint: string
  readonly env: readonly string[]
  readonly 'env-from-file': readonly string[]
  readonly interactive: boolean
  readonly label: readonly string[]
  readonly publish: readonly string[]
  readonly 'service-ports': boolean
  readonly tty: boolean
  readonly user: string
  readonly volume: readonly string[]
  readonly workdir: string
}

/** The service as one command in a container of its own sees it: no name, restarts or ports of the others. */
export function oneOffService(service: Service, words: readonly string[], choices: Choices, io: Io): Service {
  const { container_name: _name, restart: _restart, scale: _scale, healthcheck: _health, ...rest } = service
  const { deploy } = service
  const { restart_policy: _policy, ...withoutPolicy } = deploy ?? { resources: {}, placement: {} }
  const entrypoint =
    choices.entrypoint === '' ? rest.entrypoint : (splitWords(choices.entrypoint) ?? [choices.entrypoint])
  const command = words.length > 0 ? words : choices.entrypoint === '' ? rest.command : null
  const ports = [
    ...(choices['service-ports'] ? (rest.ports ?? []) : []),
    ...expanded<Port>(choices.publish, expandPort, '--publish'),
  ]
  const { ports: _ports, ...unpublished } = rest
  return {
    ...unpublished,
    ...(deploy === undefined ? {} : { deploy: withoutPolicy }),
    command,
    entrypoint,
    environment: { ...rest.environment, ...variables(choices, io) },
    labels: { ...rest.labels, ...Object.fromEntries(choices.label.map((text) => pair(text, ''))) },
    cap_add: [...(rest.cap_add ?? []), ...choices['cap-add']],
    cap_drop: [...(rest.cap_drop ?? []), ...choices['cap-drop']],
    volumes: [
      ...(rest.volumes ?? []),
      ...expanded<Mount>(choices.volume, expandVolume, '--volume').map((mount) => absolute(mount, io.cwd)),
    ],
    ...(ports.length === 0 ? {} : { ports }),
    tty: choices.tty,
    stdin_open: choices.interactive,
    ...(choices.user === '' ? {} : { user: choices.user }),
    ...(choices.workdir === '' ? {} : { working_dir: choices.workdir }),
  }
}

function variables(choices: Choices, io: Io): Record<string, string | null> {
  const lookup = (name: string): string | undefined => io.env[name]
  const files = choices['env-from-file'].flatMap((file) => {
    const path = resolve(io.cwd, file)
    try {
      return [...parseDotenv(readFileSync(path, 'utf8'), path, lookup)]
    } catch (error) {
      throw commandError(`--env-from-file: cannot read ${path}: ${messageOf(error)}`, error)
    }
  })
  const given = choices.env.map((text): [string, string | null] => {
    const [name, value] = cut(text, '=')
    return [name, value ?? io.env[name] ?? null]
  })
  return Object.fromEntries([...files, ...given])
}

function pair(text: string, missing: string): [string, string] {
  const [name, value = missing] = cut(text, '=')
  return [name, value]
}

function expanded<T>(
  texts: readonly string[],
  expand: (item: Scalar) => readonly Node[],
  flag: string,
): readonly T[] {
  const place = { file: flag, line: 0, column: 0 }
  return texts.flatMap((text) => expand(scalar(text, place)).map((node) => plainOf(node) as T))
}

function absolute(mount: Mount, cwd: string): Mount {
  return mount.type === 'bind' && mount.source !== undefined
    ? { ...mount, source: resolve(cwd, mount.source) }
    : mount
}

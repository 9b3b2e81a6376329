import type { Problem } from '../document/errors.ts'
import { type Mapping, type Node, type Place, entryOf, plainOf, textOf } from '../document/node.ts'
import type { Project } from '../model/project.ts'

/** What the parts of a project say about each other that cannot be; each with the place where it is said. */
export function inconsistencies(project: Mapping): readonly Problem[] {
  const services = entryOf(project, 'services')
  const problems = [...resourceProblems(project)]
  if (services?.kind !== 'mapping') return problems
  for (const [name, service] of services.entries) {
    const subject: Subject = { name, service, project, services }
    problems.push(...rules.flatMap((rule) => rule(subject)))
  }
  return problems
}

interface Subject {
  readonly name: string
  readonly service: Node
  readonly project: Mapping
  readonly services: Mapping
}

type Rule = (subject: Subject) => readonly Problem[]

const rules: readonly Rule[] = [
  function hasImage({ name, service }) {
    const known = ['image', 'build', 'provider'].some((key) => entryOf(service, key) !== undefined)
    return known
      ? []
      : [
          {
            place: service.place,
            message: `service ${JSON.stringify(name)} has neither an image nor a build context specified`,
          },
        ]
  },

  function networks({ name, service, project }) {
    const used = entryOf(service, 'networks')
    const mode = entryOf(service, 'network_mode')
    if (used !== undefined && mode !== undefined) {
      return [
        {
          place: mode.place,
          message: `service ${JSON.stringify(name)} declares mutually exclusive "network_mode" and "networks"`,
        },
      ]
    }
    return missing(
      keysOf(used),
      entryOf(project, 'networks'),
      ['default'],
      `service ${JSON.stringify(name)} refers to undefined network`,
    )
  },

  function volumes({ name, service, project }) {
    const mounts = itemsOf(entryOf(service, 'volumes')).flatMap((mount): [string, Place][] => {
      const source = textOf(entryOf(mount, 'source'))
      const isNamed = textOf(entryOf(mount, 'type')) === 'volume' && source !== undefined
      return isNamed ? [[source, mount.place]] : []
    })
    return missing(
      mounts,
      entryOf(project, 'volumes'),
      [],
      `service ${JSON.stringify(name)} refers to undefined volume`,
    )
  },

  function files({ name, service, project }) {
    return (['secrets', 'configs'] as const).flatMap((section) => {
      const used = itemsOf(entryOf(service, section)).flatMap((item): [string, Place][] => {
        const source = textOf(entryOf(item, 'source'))
        return source === undefined ? [] : [[source, item.place]]
      })
      const noun = section.slice(0, -1)
      return missing(
        used,
        entryOf(project, section),
        [],
        `service ${JSON.stringify(name)} refers to undefined ${noun}`,
      )
    })
  },

  function dependencies({ name, service, services }) {
    const used = keysOf(entryOf(service, 'depends_on'))
    return missing(used, services, [], `service ${JSON.stringify(name)} depends on undefined service`)
  },

  function sharing({ name, service, services }) {
    const used = ['network_mode', 'ipc', 'pid', 'uts', 'cgroup'].flatMap((key): [string, Place][] => {
      const node = entryOf(service, key)
      const [, other] = /^service:(.+)$/.exec(textOf(node) ?? '') ?? []
      return node === undefined || other === undefined ? [] : [[other, node.place]]
    })
    const linked = ['links', 'volumes_from'].flatMap((key) =>
      itemsOf(entryOf(service, key)).flatMap((item): [string, Place][] => {
        const text = textOf(item) ?? ''
        return text.startsWith('container:') ? [] : [[text.split(':')[0] ?? text, item.place]]
      }),
    )
    return missing(
      [...used, ...linked],
      services,
      [],
      `service ${JSON.stringify(name)} depends on undefined service`,
    )
  },

  function scale({ name, service }) {
    const own = entryOf(service, 'scale')
    const replicas = entryOf(entryOf(service, 'deploy'), 'replicas')
    if (own !== undefined && replicas !== undefined && plainOf(own) !== plainOf(replicas)) {
      return [
        {
          place: own.place,
          message: `services.${name}: can't set distinct values on 'scale' and 'deploy.replicas'`,
        },
      ]
    }
    const count = own ?? replicas
    const fixed = entryOf(service, 'container_name')
    if (count === undefined || fixed === undefined || Number(plainOf(count)) <= 1) return []
    return [
      {
        place: fixed.place,
        message: `services.${name}: can't set container_name and scale above 1: a container's name is unique`,
      },
    ]
  },

  function devices({ name, service }) {
    const reservations = entryOf(entryOf(entryOf(service, 'deploy'), 'resources'), 'reservations')
    const requests = [...itemsOf(entryOf(service, 'gpus')), ...itemsOf(entryOf(reservations, 'devices'))]
    return requests.flatMap((request) =>
      entryOf(request, 'count') !== undefined && entryOf(request, 'device_ids') !== undefined
        ? [
            {
              place: request.place,
              message: `services.${name}: "count" and "device_ids" attributes are exclusive`,
            },
          ]
        : [],
    )
  },

  function limits({ name, service }) {
    const resources = entryOf(entryOf(service, 'deploy'), 'resources')
    const pairs = [
      ['mem_limit', 'limits', 'memory'],
      ['mem_reservation', 'reservations', 'memory'],
      ['cpus', 'limits', 'cpus'],
      ['pids_limit', 'limits', 'pids'],
    ] as const
    return pairs.flatMap(([key, section, amount]) => {
      const own = entryOf(service, key)
      const other = entryOf(entryOf(resources, section), amount)
      if (own === undefined || other === undefined || plainOf(own) === plainOf(other)) return []
      return [
        {
          place: own.place,
          message: `services.${name}: can't set distinct values on '${key}' and 'deploy.resources.${section}.${amount}'`,
        },
      ]
    })
  },
]

function resourceProblems(project: Mapping): readonly Problem[] {
  return (['secrets', 'configs'] as const).flatMap((section) => {
    const resources = entryOf(project, section)
    if (resources?.kind !== 'mapping') return []
    return [...resources.entries].flatMap(([name, resource]): Problem[] => {
      const sources = ['file', 'environment', 'content', 'external'].filter((key) => {
        const value = entryOf(resource, key)
        return value !== undefined && plainOf(value) !== false
      })
      if (sources.length === 1 || entryOf(resource, 'driver') !== undefined) return []
      const what =
        sources.length === 0 ? 'says not where it comes from' : `has several sources: ${sources.join(', ')}`
      const want =
        section === 'secrets' ? 'file, environment or external' : 'file, content, environment or external'
      return [{ place: resource.place, message: `${section}.${name} ${what}; want one of ${want}` }]
    })
  })
}

/** Services that are enabled together cannot have containers of one name. */
export function sharedNames({ services, placeOf }: Project): readonly Problem[] {
  const owners = new Map<string, string>()
  return Object.entries(services).flatMap(([service, { container_name: name }]): Problem[] => {
    if (name === undefined) return []
    const owner = owners.get(name)
    const place = placeOf('services', service, 'container_name')
    if (owner === undefined || place === undefined) {
      owners.set(name, service)
      return []
    }
    const message = `services.${service}: container name ${JSON.stringify(name)} is already in use by service ${owner}`
    return [{ place, message }]
  })
}

function missing(
  used: readonly (readonly [string, Place])[],
  defined: Node | undefined,
  implied: readonly string[],
  text: string,
): Problem[] {
  return used
    .filter(([name]) => entryOf(defined, name) === undefined && !implied.includes(name))
    .map(([name, place]) => ({ place, message: `${text} ${name}` }))
}

function keysOf(node: Node | undefined): [string, Place][] {
  if (node?.kind !== 'mapping') return []
  return [...node.entries].map(([key, value]) => [key, node.keys.get(key) ?? value.place])
}

function itemsOf(node: Node | undefined): readonly Node[] {
  return node?.kind === 'sequence' ? node.items : []
}

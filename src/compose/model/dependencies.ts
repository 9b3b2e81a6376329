import type { Dependency, Service } from './project.ts'

const SHARING = ['network_mode', 'ipc', 'pid', 'uts', 'cgroup'] as const

/** The service with dependencies that other attributes imply: what it shares with, links to, or takes volumes from. */
export function withImpliedDependencies(service: Service): Service {
  const implied = new Map<string, Dependency>()
  const add = (name: string, restart: boolean): void => {
    if (!implied.has(name)) {
      implied.set(name, { condition: 'service_started', ...(restart ? { restart } : {}), required: true })
    }
  }
  for (const link of service.links ?? []) add(link.split(':')[0] ?? link, true)
  for (const key of SHARING) {
    const [, name] = /^service:(.+)$/.exec(service[key] ?? '') ?? []
    if (name !== undefined) add(name, true)
  }
  for (const from of service.volumes_from ?? []) {
    if (!from.startsWith('container:')) add(from.split(':')[0] ?? from, false)
  }
  const own = service.depends_on ?? {}
  const added = [...implied].filter(([name]) => !Object.hasOwn(own, name))
  return added.length === 0 ? service : { ...service, depends_on: { ...own, ...Object.fromEntries(added) } }
}

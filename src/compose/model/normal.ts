import type { Lookup } from '../environment/template.ts'
import { withImpliedDependencies } from './dependencies.ts'
import type { Build, Service, Variables } from './project.ts'

/** A service with the defaults that Compose writes out, and with variables of the shell where they were asked for. */
export function normalService(service: Service, lookup: Lookup): Service {
  return withImpliedDependencies({
    ...service,
    ...(service.build === undefined ? {} : { build: normalBuild(service.build, lookup) }),
    ...(service.environment === undefined ? {} : { environment: resolved(service.environment, lookup) }),
    ...(service.pull_policy === 'if_not_present' ? { pull_policy: 'missing' } : {}),
    ...normalNetworks(service),
  })
}

/** A service that says nothing about networks is on `default`. */
function normalNetworks({ network_mode, networks, provider }: Service): Pick<Service, 'networks'> {
  if (network_mode !== undefined || provider !== undefined) return {}
  return networks === undefined || Object.keys(networks).length === 0 ? { networks: { default: null } } : {}
}

function normalBuild(build: Build, lookup: Lookup): Build {
  const { args } = build
  const dockerfile = build.dockerfile ?? (build.dockerfile_inline === undefined ? 'Dockerfile' : undefined)
  return {
    ...build,
    ...(dockerfile === undefined ? {} : { dockerfile }),
    ...(args === undefined ? {} : { args: given(resolved(args, lookup)) }),
  }
}

/** Without those that have no value. */
function given(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== null))
}

/** Variables without a value take it from outside, where there is one. */
function resolved(variables: Variables, lookup: Lookup): Variables {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, value ?? lookup(name) ?? null]),
  )
}

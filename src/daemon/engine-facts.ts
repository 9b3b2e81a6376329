import type { EngineFacts } from '#engine/system/system.ts'
import { proxiesOf } from '#registry/client/proxy.ts'
import type { Foundation } from './engine.ts'
import { proxyEnvironment } from './registry-settings.ts'
import { apiVersion, minApiVersion, version } from './version.ts'

/** What `info` and `version` tell of an engine and the machine below it; what may be configured anew is looked up each time. */
export function factsOf({
  identity,
  config,
  live,
  probe,
  selected,
  machine,
  ownRegistry,
}: Foundation): EngineFacts {
  return {
    id: identity.engine,
    version,
    apiVersion,
    minApiVersion,
    gitCommit: '',
    builtAt: '',
    dataRoot: config.dataRoot,
    storageDriver: probe.driver,
    runtime: { name: selected.name, path: selected.path, version: selected.version, reason: selected.reason },
    cgroupVersion: machine.cgroupVersion === 'v2' ? '2' : '1',
    warnings: selected.warnings,
    get configuredRuntimes() {
      return live.current.runtimes
    },
    classicBuilder: config.builder.classic,
    get debug() {
      return live.current.logLevel === 'debug'
    },
    get registries() {
      return live.current.registries
    },
    get proxies() {
      return proxiesOf(proxyEnvironment(live.current.registries))
    },
    ownRegistry,
  }
}

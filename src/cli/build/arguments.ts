import type { Query } from '#client/transport.ts'
import type { Context } from '../command.ts'
import { keyValues } from '../create/key-values.ts'
import { parseUlimit } from '../create/devices.ts'
import { commandError } from '../errors.ts'
import { cut } from '../flags.ts'
import type { Io } from '../io.ts'
import { proxyVariables } from '../proxies.ts'
import type { BuildFlags } from './flags.ts'

/** Docker's own parameters of `POST /build`, as far as flags alone decide them. */
export function buildQuery(flags: BuildFlags, context: Pick<Context, 'config' | 'io' | 'client'>): Query {
  if (flags['security-opt'].length > 0) {
    throw commandError('--security-opt is not possible in builds; see --allow security.insecure')
  }
  return {
    t: flags.tag,
    target: flags.target || undefined,
    buildargs: jsonText(buildArguments(flags, context)),
    labels: jsonText(keyValues(flags.label)),
    nocache: flags['no-cache'],
    pull: flags.pull,
    squash: flags.squash,
    networkmode: flags.network,
    extrahosts: flags['add-host'].map(extraHost),
    shmsize: flags['shm-size'],
    ulimits: flags.ulimit.length === 0 ? undefined : JSON.stringify(flags.ulimit.map(parseUlimit)),
    cgroupparent: flags['cgroup-parent'] || undefined,
    memory: flags.memory,
    memswap: flags['memory-swap'],
    cpushares: flags['cpu-shares'],
    cpuperiod: flags['cpu-period'],
    cpuquota: flags['cpu-quota'],
    cpusetcpus: flags['cpuset-cpus'] || undefined,
    cpusetmems: flags['cpuset-mems'] || undefined,
  }
}

/** Proxies of the client's configuration, SOURCE_DATE_EPOCH, and what was given; a name alone is the variable's value. */
function buildArguments(
  flags: Pick<BuildFlags, 'build-arg'>,
  context: Pick<Context, 'config' | 'io' | 'client'>,
): Record<string, string> {
  const { io } = context
  const given = flags['build-arg'].flatMap((text) => {
    const [key, value = io.env[key]] = cut(text, '=')
    return value === undefined ? [] : [[key, value] as const]
  })
  const epoch = io.env['SOURCE_DATE_EPOCH']
  return {
    ...proxyVariables(context),
    ...(epoch === undefined || epoch === '' ? {} : { SOURCE_DATE_EPOCH: epoch }),
    ...Object.fromEntries(given),
  }
}

export function platformsOf(
  flags: Pick<BuildFlags, 'platform'>,
  { env }: Pick<Io, 'env'>,
): readonly string[] {
  const given = flags.platform.length === 0 ? [env['DOCKER_DEFAULT_PLATFORM'] ?? ''] : flags.platform
  return given
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '')
}

/** `host:ip`; people also write `host=ip`. */
function extraHost(text: string): string {
  const equals = /^([^:=]+)=(.+)$/.exec(text)
  const host = equals === null ? text : `${equals[1]}:${equals[2]?.replace(/^\[(.*)\]$/, '$1')}`
  if (!/^[^:]+:.+$/.test(host))
    throw commandError(`bad format for add-host: ${JSON.stringify(text)}; write host:ip`)
  return host
}

function jsonText(values: Readonly<Record<string, string>>): string | undefined {
  return Object.keys(values).length === 0 ? undefined : JSON.stringify(values)
}

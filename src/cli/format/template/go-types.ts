import { formatGoDuration } from '#base/go-duration.ts'
import { isView } from './view.ts'

/**
 * Docker's command line decodes documents into Go's types and prints those: `{on-failure 3}`, `[]` for a list that is
 * null. JSON has lost the types; this is what has to be known of them to print the same.
 */

/** Null in JSON, and nil of a type that prints as if it were empty. Their JSON form stays `null`. */
export const nilList: readonly unknown[] = Object.freeze([])
export const nilMap: Readonly<Record<string, unknown>> = Object.freeze({})

const lists = new Set(
  `Binds VolumesFrom GroupAdd Links CapAdd CapDrop Dns DnsOptions DnsSearch ExtraHosts SecurityOpt Devices DeviceRequests
  DeviceCgroupRules Ulimits Mounts BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps
  BlkioDeviceWriteIOps MaskedPaths ReadonlyPaths ExecIDs Aliases DNSNames OnBuild Entrypoint Cmd Env Shell Test Log Args
  RepoTags RepoDigests Layers Peers Config SecondaryIPAddresses SecondaryIPv6Addresses`.split(/\s+/),
)
const maps = new Set(
  `Labels Annotations Options Sysctls Tmpfs StorageOpt DriverOpts Networks Ports PortBindings ExposedPorts Volumes
  Containers AuxiliaryAddresses Data`.split(/\s+/),
)

const texts = new Set(
  'StopSignal MacAddress Domainname Name Driver Propagation Comment Author Variant OsVersion Parent Runtime'.split(
    ' ',
  ),
)
const booleans = new Set(['ArgsEscaped', 'NetworkDisabled', 'EnableIPv4'])

/** What a field that is null or left out is in Go; `null` is a nil pointer. */
export function nilOf(field: string): unknown {
  if (texts.has(field)) return ''
  if (booleans.has(field)) return false
  return lists.has(field) ? nilList : maps.has(field) ? nilMap : null
}

/** Fields that have another name in Go, by which templates may ask for them, than in JSON. */
export const namesInJson: ReadonlyMap<string, string> = new Map([
  ['ID', 'Id'],
  ['HostIP', 'HostIp'],
  ['DNS', 'Dns'],
  ['DNSOptions', 'DnsOptions'],
  ['DNSSearch', 'DnsSearch'],
])

interface Struct {
  /** In the order of their declaration, with the text of the zero value. */
  readonly fields: readonly (readonly [name: string, zero: string])[]
  /** An object with all of these, and no field besides the declared ones, is such a struct. */
  readonly known: readonly string[]
  readonly print?: (value: Readonly<Record<string, unknown>>) => string
}

/** `NAME` is a text, `NAME:zero` something else; a `!` marks what the struct is known by. */
function struct(declaration: string, print?: Struct['print']): Struct {
  const words = declaration.trim().split(/\s+/)
  const fields = words.map((word): readonly [string, string] => {
    const [name = '', zero = ''] = word.replace('!', '').split(':')
    return [name, zero]
  })
  const known = words
    .filter((word) => word.endsWith('!'))
    .map((word) => (word.split(':')[0] ?? '').replace('!', ''))
  return { fields, known, ...(print === undefined ? {} : { print }) }
}

const structs: readonly Struct[] = [
  struct('HostIp HostPort!'),
  struct('Name! MaximumRetryCount:0!'),
  struct('Type! Config:map[]!'),
  struct('Type! Name Source! Destination! Driver Mode RW:false! Propagation'),
  struct(`Status! Running:false! Paused:false! Restarting:false OOMKilled:false Dead:false Pid:0! ExitCode:0 Error
    StartedAt FinishedAt Health:<nil>`),
  struct('Status! FailingStreak:0! Log:[]!'),
  struct('Test:[]! Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0'),
  struct('PathOnHost! PathInContainer! CgroupPermissions'),
  struct('Name! Hard:0! Soft:0!', ({ Name, Soft, Hard }) =>
    Soft === Hard ? `${String(Name)}=${String(Soft)}` : `${String(Name)}=${String(Soft)}:${String(Hard)}`,
  ),
  struct('Data:map[]! Name!'),
  struct('Type! Layers:[]!'),
  struct('Driver! Options:map[]! Config:[]!'),
  struct('Subnet! IPRange Gateway AuxiliaryAddresses:map[]'),
  struct('Network!'),
  struct('Name! EndpointID! MacAddress! IPv4Address! IPv6Address'),
  struct(`IPAMConfig:<nil>! Links:[] Aliases:[]! MacAddress DriverOpts:map[] GwPriority:0 NetworkID EndpointID! Gateway
    IPAddress! IPPrefixLen:0 IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen:0 DNSNames:[]`),
]

/** The text of a value that is a struct in Go; undefined when it is none that is known. */
export function structText(
  value: Readonly<Record<string, unknown>>,
  print: (value: unknown) => string,
): string | undefined {
  const names = Object.keys(value)
  const found = structs.find(
    ({ fields, known }) =>
      known.every((name) => Object.hasOwn(value, name)) &&
      names.every((name) => fields.some(([declared]) => declared === name)),
  )
  if (found === undefined) return undefined
  if (found.print !== undefined) return found.print(value)
  const texts = found.fields.map(([name, zero]) => {
    const field = value[name] ?? undefined
    if (field === undefined) return zero
    return zero === '0s' ? formatGoDuration(Number(field)) : print(field)
  })
  return `{${texts.join(' ')}}`
}

/** Fields of health checks, which are durations. */
export const durations: ReadonlySet<string> = new Set(['Interval', 'Timeout', 'StartPeriod', 'StartInterval'])

/** Structs whose fields have names in lower case: descriptors and platforms of OCI. */
const lowerCase: readonly string[] = ['mediaType', 'os', 'path']

/** Go writes maps in the order of their keys, and structs in that of their declaration. */
export function sortedMaps(value: unknown): unknown {
  if (value === nilList || value === nilMap || typeof value !== 'object' || value === null || isView(value)) {
    return value
  }
  if (Array.isArray(value)) return value.map(sortedMaps)
  const entries = Object.entries(value).map(([key, each]): [string, unknown] => [key, sortedMaps(each)])
  if (!isStruct(Object.keys(value))) entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries)
}

function isStruct(names: readonly string[]): boolean {
  if (names.some((name) => /\W/.test(name))) return false
  return names.some((name) => /^[A-Z]/.test(name) || lowerCase.includes(name))
}

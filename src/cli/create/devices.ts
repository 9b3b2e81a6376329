import type { DeviceMapping, DeviceRequest, Resources } from '#api/generated/types.ts'
import { valueError } from '../errors.ts'
import { cut } from '../flags.ts'
import { parseBytes, parseInteger } from '../values.ts'
import { csvFields } from './csv.ts'

/** A CDI device, `vendor.com/class=name`. */
export function isCdiDevice(text: string): boolean {
  return /^[a-zA-Z][\w.-]*[a-zA-Z0-9]\/[a-zA-Z][\w.-]*=[\w.:-]+$/.test(text)
}

/** `--device`: `host[:container[:rwm]]`; the permissions may also come second. */
export function parseDevice(text: string): DeviceMapping {
  const parts = text.split(':')
  const [host = '', second, third] = parts
  if (host === '' || parts.length > 3) throw valueError(`invalid device specification: ${text}`)
  const secondIsMode = parts.length === 2 && isDeviceMode(second ?? '')
  const inside = secondIsMode ? host : second || host
  const mode = secondIsMode ? second : third
  if (mode !== undefined && !isDeviceMode(mode)) throw valueError(`bad mode specified: ${mode}`)
  if (!inside.startsWith('/')) throw valueError(`${inside} is not an absolute path`)
  return { PathOnHost: host, PathInContainer: inside, CgroupPermissions: mode ?? 'rwm' }
}

function isDeviceMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length
}

/** `--device-cgroup-rule`, such as `c 42:* rmw`. */
export function checkDeviceRule(text: string): string {
  if (/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text)) return text
  throw valueError(`invalid device cgroup format '${text}'`)
}

/** `--gpus`: `all`, a number, or CSV of driver, count, device, capabilities and options. */
export function parseGpus(text: string): DeviceRequest {
  const request = { Driver: '', Count: 0, DeviceIDs: [] as string[], Options: {} as Record<string, string> }
  let capabilities = ['gpu']
  const seen = new Set<string>()
  for (const field of csvFields(text)) {
    const [key, value] = cut(field, '=')
    const name = value === undefined ? 'count' : key
    if (seen.has(name)) throw valueError(`gpu request key '${name}' can be specified only once`)
    seen.add(name)
    const content = value ?? key
    switch (name) {
      case 'driver':
        request.Driver = content
        break
      case 'count':
        request.Count = gpuCount(content)
        break
      case 'device':
        request.DeviceIDs = content.split(',')
        break
      case 'capabilities':
        capabilities = [...content.split(','), 'gpu']
        break
      case 'options':
        request.Options = Object.fromEntries(
          csvFields(content).map((each) => [cut(each, '=')[0], cut(each, '=')[1] ?? '']),
        )
        break
      default:
        throw valueError(`unexpected key '${name}' in '${field}'`)
    }
  }
  if (!seen.has('count') && request.DeviceIDs.length === 0) request.Count = 1
  return {
    ...request,
    DeviceIDs: request.DeviceIDs.length > 0 ? request.DeviceIDs : null,
    Capabilities: [[...new Set(capabilities)]],
  }
}

function gpuCount(text: string): number {
  if (text === 'all') return -1
  try {
    return parseInteger(text)
  } catch (error) {
    throw Object.assign(valueError(`invalid count (${text}): value must be either "all" or an integer`), {
      cause: error,
    })
  }
}

/** `path:rate`, the rate in bytes or in operations per second. */
export function parseThrottle(text: string, unit: 'bytes' | 'operations'): { Path: string; Rate: number } {
  const { path, value } = pathAndValue(text)
  try {
    return { Path: path, Rate: unit === 'bytes' ? parseBytes(value) : parseInteger(value, { min: 0 }) }
  } catch (error) {
    const format =
      unit === 'bytes'
        ? '<device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb'
        : '<device-path>:<number>. Number must be a positive integer'
    throw Object.assign(valueError(`invalid rate for device: ${text}. The correct format is ${format}`), {
      cause: error,
    })
  }
}

/** `path:weight` with a weight from 10 to 1000, or 0. */
export function parseWeight(text: string): { Path: string; Weight: number } {
  const { path, value } = pathAndValue(text)
  const weight = /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (!(weight === 0 || (weight >= 10 && weight <= 1000)))
    throw valueError(`invalid weight for device: ${text}`)
  return { Path: path, Weight: weight }
}

function pathAndValue(text: string): { path: string; value: string } {
  const [path, value] = cut(text, ':')
  if (path === '' || value === undefined || value.includes(':')) throw valueError(`bad format: ${text}`)
  if (!path.startsWith('/dev/')) throw valueError(`bad format for device path: ${text}`)
  return { path, value }
}

const ulimitNames =
  'as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
    ' ',
  )

/** `name=soft[:hard]`; the hard limit is the soft one when it is not given, and -1 is no limit. */
export function parseUlimit(text: string): NonNullable<Resources['Ulimits']>[number] {
  const [name, value] = cut(text, '=')
  if (value === undefined || name === '') throw valueError(`invalid ulimit argument: ${text}`)
  if (!ulimitNames.includes(name)) throw valueError(`invalid ulimit type: ${name}`)
  const [soft, hard] = cut(value, ':')
  const Soft = parseInteger(soft)
  const Hard = hard === undefined ? Soft : parseInteger(hard)
  if (Hard !== -1 && (Soft === -1 || Soft > Hard)) {
    throw valueError(
      `ulimit soft limit must be less than or equal to hard limit: ${Soft === -1 ? 'soft: -1' : Soft} > ${Hard}`,
    )
  }
  return { Name: name, Soft, Hard }
}

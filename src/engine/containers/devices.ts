import { type Stats, statSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostConfig } from '#api/generated/types.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import type { SpecDevice } from '#runtime/spec.ts'

const S_IFMT = 0o170000
const S_IFCHR = 0o020000
const S_IFBLK = 0o060000
/** Made by the runtime itself, or other things than devices. */
const OWN = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console'])

/** `HostConfig.Devices`, or all devices of the machine for a privileged container. */
export async function containerDevices(hostConfig: HostConfig): Promise<SpecDevice[]> {
  if (hostConfig.Privileged === true) return devicesBelow('/dev', '/dev', 'rwm')
  const asked = hostConfig.Devices ?? []
  const lists = await Promise.all(
    asked.map(({ PathOnHost, PathInContainer, CgroupPermissions }) => {
      const host = PathOnHost ?? ''
      return oneOrAll(host, PathInContainer || host, CgroupPermissions || 'rwm')
    }),
  )
  return lists.flat()
}

/** Numbers of a device node of the host. */
export function blockDeviceNumber(path: string): { readonly major: number; readonly minor: number } {
  let found: Stats
  try {
    found = statSync(path)
  } catch (error) {
    throw notADevice(path, error)
  }
  return numbers(found)
}

async function oneOrAll(host: string, destination: string, access: string): Promise<SpecDevice[]> {
  try {
    const found = await stat(host)
    const one = deviceOf(found, destination, access)
    const devices = found.isDirectory() ? await devicesBelow(host, destination, access) : one && [one]
    if (devices !== undefined && devices.length > 0) return devices
  } catch (error) {
    throw notADevice(host, error)
  }
  throw notADevice(host)
}

async function devicesBelow(host: string, destination: string, access: string): Promise<SpecDevice[]> {
  const devices: SpecDevice[] = []
  for (const entry of await readdir(host, { withFileTypes: true })) {
    if (OWN.has(entry.name)) continue
    const path = join(host, entry.name)
    if (entry.isDirectory()) {
      devices.push(...(await devicesBelow(path, join(destination, entry.name), access)))
      continue
    }
    const device = await deviceAt(path, join(destination, entry.name), access)
    if (device !== undefined) devices.push(device)
  }
  return devices
}

/** Undefined for what is no device, or has vanished meanwhile. */
async function deviceAt(path: string, destination: string, access: string): Promise<SpecDevice | undefined> {
  try {
    return deviceOf(await stat(path), destination, access)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENXIO', 'ENODEV')) return undefined
    throw error
  }
}

function deviceOf(found: Stats, path: string, access: string): SpecDevice | undefined {
  const kind = found.mode & S_IFMT
  if (kind !== S_IFCHR && kind !== S_IFBLK) return undefined
  return {
    path,
    type: kind === S_IFCHR ? 'c' : 'b',
    ...numbers(found),
    fileMode: found.mode & 0o7777,
    uid: found.uid,
    gid: found.gid,
    access,
  }
}

/** The kernel's huge encoding of dev_t, as stat(2) gives it. */
function numbers({ rdev }: Stats): { readonly major: number; readonly minor: number } {
  const wide = BigInt(rdev)
  return {
    major: Number(((wide >> 8n) & 0xfffn) | ((wide >> 32n) & ~0xfffn)),
    minor: Number((wide & 0xffn) | ((wide >> 12n) & ~0xffn)),
  }
}

function notADevice(path: string, cause?: unknown): EngineError {
  const message = `error gathering device information while adding custom device "${path}": ${
    cause === undefined ? 'not a device node' : 'no such file or directory'
  }`
  return new EngineError('invalid_argument', message, { code: 'DEVICE_INVALID', cause })
}

import { EngineError } from '#base/errors.ts'
import type { Device, DeviceRule } from './oci-runtime-spec.ts'
import type { SpecDevice } from './spec.ts'

const RULE = /^([abc]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/

/** Open to every container: null, full, zero, random, urandom, tty, console, ptmx and the pty slaves. */
const harmless: readonly DeviceRule[] = [
  rule(1, 3),
  rule(1, 5),
  rule(1, 7),
  rule(1, 8),
  rule(1, 9),
  rule(5, 0),
  rule(5, 1),
  rule(5, 2),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
]

/** Parses `c 1:3 mr`, `b 8:* rwm`, `a *:* rwm`. */
export function parseDeviceRule(text: string): DeviceRule {
  const match = RULE.exec(text)
  if (!match) {
    throw new EngineError('invalid_argument', `invalid device cgroup rule format: '${text}'`, {
      code: 'DEVICE_RULE_INVALID',
      details: { rule: text },
    })
  }
  const [, type, major, minor, access] = match as unknown as [string, 'a' | 'b' | 'c', string, string, string]
  return {
    allow: true,
    type,
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  }
}

/**
 * The device controller's rules, in order: deny everything, then what is allowed. The runtimes themselves add that any
 * node may be made, but not opened.
 */
export function deviceRules(
  privileged: boolean,
  devices: readonly SpecDevice[],
  extra: readonly string[],
): DeviceRule[] {
  if (privileged) return [{ allow: true, access: 'rwm' }]
  return [
    { allow: false, access: 'rwm' },
    ...harmless,
    ...devices.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access })),
    ...extra.map(parseDeviceRule),
  ]
}

/** Nodes to make in /dev besides those that the runtime always makes. */
export function deviceNodes(devices: readonly SpecDevice[]): Device[] {
  return devices.map(({ path, type, major, minor, fileMode, uid, gid }) => ({
    path,
    type,
    major,
    minor,
    fileMode,
    uid,
    gid,
  }))
}

function rule(major: number, minor: number): DeviceRule {
  return { allow: true, type: 'c', major, minor, access: 'rwm' }
}

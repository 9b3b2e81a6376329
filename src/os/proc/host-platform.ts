import { readFileSync } from 'node:fs'
import { hostPlatform, type Platform } from '#oci/platform.ts'

/** Flags of /proc/cpuinfo that each level needs beside those of the level below. System V ABI, AMD64, 3.1.1 table 3.1. */
const levels: readonly (readonly [variant: string, flags: string])[] = [
  ['v2', 'cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3'],
  ['v3', 'avx avx2 bmi1 bmi2 f16c fma abm movbe xsave'],
  ['v4', 'avx512f avx512bw avx512cd avx512dq avx512vl'],
]

/** The platform of this machine, on x86-64 with the level of its processor: `linux/amd64/v3`. */
export function detectedPlatform(cpuinfo = readFileSync('/proc/cpuinfo', 'utf8')): Platform {
  const host = hostPlatform()
  if (host.architecture !== 'amd64') return host
  const has = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/))
  const missing = levels.findIndex(([, flags]) => !flags.split(' ').every((flag) => has.has(flag)))
  const variant = levels.at(missing === -1 ? levels.length - 1 : missing - 1)?.[0]
  return missing === 0 || variant === undefined ? host : { ...host, variant }
}

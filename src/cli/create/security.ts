import { readFileSync } from 'node:fs'
import { messageOf } from '#base/errors.ts'
import type { HostConfig } from '#api/generated/types.ts'
import { commandError } from '../errors.ts'
import { cut } from '../flags.ts'

/**
 * `--security-opt` values in the form of the API. A seccomp profile is read here, as its file is on this side;
 * `systempaths=unconfined` is no option of the API but empty lists of masked and read-only paths.
 */
export function securityOptions(
  texts: readonly string[],
): Pick<HostConfig, 'SecurityOpt' | 'MaskedPaths' | 'ReadonlyPaths'> {
  const unconfined = texts.includes('systempaths=unconfined')
  const options = texts.filter((text) => text !== 'systempaths=unconfined').map(securityOption)
  return {
    ...(options.length === 0 ? {} : { SecurityOpt: options }),
    ...(unconfined ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
  }
}

function securityOption(text: string): string {
  const [key, value] = cut(text, text.includes('=') ? '=' : ':')
  if (value === undefined && key !== 'no-new-privileges') {
    throw commandError(`invalid --security-opt: "${text}"`)
  }
  if (key !== 'seccomp' || value === undefined || value === 'unconfined' || value === 'builtin') return text
  return `seccomp=${readProfile(value)}`
}

function readProfile(file: string): string {
  try {
    return JSON.stringify(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw commandError(`opening seccomp profile (${file}) failed: ${messageOf(error)}`, error)
  }
}

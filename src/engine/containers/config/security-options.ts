import { invalidConfig } from './errors.ts'

export interface SecurityOptions {
  /** Undefined: what the daemon's configuration says. */
  readonly noNewPrivileges?: boolean | undefined
  /** `default`, `unconfined`, or the text of a profile. */
  readonly seccomp: string
  readonly apparmor?: string | undefined
  readonly labels: readonly string[]
  /** Undefined: a privileged container's groups are. */
  readonly writableCgroups?: boolean | undefined
}

/** `HostConfig.SecurityOpt`; key and value are separated by `=`, or by `:` as of old. Fails with Docker's texts. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let parsed: SecurityOptions = { seccomp: 'default', labels: [] }
  for (const option of options) {
    if (option === 'no-new-privileges') parsed = { ...parsed, noNewPrivileges: true }
    else if (option === 'writable-cgroups') parsed = { ...parsed, writableCgroups: true }
    else if (option === 'disable') parsed = { ...parsed, labels: [...parsed.labels, option] }
    else parsed = { ...parsed, ...keyed(option, parsed) }
  }
  return parsed
}

function keyed(option: string, { labels }: SecurityOptions): Partial<SecurityOptions> {
  const at = option.includes('=') ? option.indexOf('=') : option.indexOf(':')
  if (at === -1) throw invalidConfig(`invalid --security-opt 1: ${JSON.stringify(option)}`)
  const value = option.slice(at + 1)
  switch (option.slice(0, at)) {
    case 'label':
      return { labels: [...labels, value] }
    case 'apparmor':
      return { apparmor: value }
    case 'seccomp':
      return { seccomp: value === '' || value === 'builtin' ? 'default' : value }
    case 'no-new-privileges':
      return { noNewPrivileges: parseBoolean(value, option) }
    case 'writable-cgroups':
      return { writableCgroups: parseTruth(value, option) }
    default:
      throw invalidConfig(`invalid --security-opt 2: ${JSON.stringify(option)}`)
  }
}

function parseTruth(value: string, option: string): boolean {
  if (value === 'true' || value === 'false') return value === 'true'
  throw invalidConfig(`invalid --security-opt 2: ${JSON.stringify(option)}`)
}

/** What Go reads as a boolean. */
function parseBoolean(value: string, option: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false
  throw invalidConfig(`invalid --security-opt 2: ${JSON.stringify(option)}`)
}

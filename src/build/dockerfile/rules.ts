import type { Range } from './source.ts'

/** The build checks: what each is about, and whether it has to be asked for. Names are BuildKit's. */
export const rules = {
  ConsistentInstructionCasing: {
    description: 'All commands within the Dockerfile should use the same casing (either upper or lower)',
  },
  CopyIgnoredFile: {
    description: 'Attempting to Copy file that is excluded by .dockerignore',
    experimental: true,
  },
  DuplicateStageName: { description: 'Stage names should be unique' },
  ExposeInvalidFormat: {
    description: 'IP address and host-port mapping should not be used in EXPOSE instruction',
  },
  ExposeProtoCasing: { description: 'Protocol in EXPOSE instruction should be lowercase' },
  FromAsCasing: { description: "The 'as' keyword should match the case of the 'from' keyword" },
  FromPlatformFlagConstDisallowed: { description: 'FROM --platform flag should not use a constant value' },
  InvalidBaseImagePlatform: { description: 'Base image platform does not match expected target platform' },
  InvalidDefaultArgInFrom: {
    description: 'Default value for global ARG results in an empty or invalid base image name',
  },
  InvalidDefinitionDescription: {
    description:
      'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`',
    experimental: true,
  },
  JSONArgsRecommended: {
    description:
      'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
  },
  LegacyKeyValueFormat: {
    description: 'Legacy key/value format with whitespace separator should not be used',
  },
  MaintainerDeprecated: {
    description: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
  },
  MultipleInstructionsDisallowed: {
    description: 'Multiple instructions of the same type should not be used in the same stage',
  },
  NoEmptyContinuation: { description: 'Empty continuation lines will become errors in a future release' },
  RedundantTargetPlatform: {
    description:
      'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
  },
  ReservedStageName: { description: 'Reserved words should not be used as stage names' },
  SecretsUsedInArgOrEnv: { description: 'Sensitive data should not be used in the ARG or ENV commands' },
  StageNameCasing: { description: 'Stage names should be lowercase' },
  UndefinedArgInFrom: { description: 'FROM command must use declared ARGs' },
  UndefinedVar: { description: 'Variables should be defined before their use' },
  WorkdirRelativePath: {
    description:
      'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
  },
} as const satisfies Readonly<Record<string, { description: string; experimental?: true }>>

export type RuleName = keyof typeof rules

/** Records a finding. */
export type Report = (rule: RuleName, range: Range, message: string) => void

/** Which checks are made, and whether a warning fails the build. */
export interface CheckOptions {
  readonly skip: ReadonlySet<string> | 'all'
  readonly experimental: ReadonlySet<string> | 'all'
  readonly error: boolean
}

/**
 * Reads `skip=A,B;error=true;experimental=all`, the value of `# check=` and of the argument BUILDKIT_DOCKERFILE_CHECK,
 * which goes before it. Gives what is wrong instead of throwing: only the caller knows where it stood.
 */
export function parseCheckOptions(text: string): CheckOptions | { readonly problem: string } {
  let skip: CheckOptions['skip'] = new Set()
  let experimental: CheckOptions['experimental'] = new Set()
  let error = false
  for (const option of text.split(';').map((part) => part.trim())) {
    if (option === '') continue
    const [key, value] = splitOnce(option)
    if (value === undefined) return { problem: `invalid check option ${JSON.stringify(option)}` }
    if (key === 'skip') skip = readNames(value)
    else if (key === 'experimental') experimental = readNames(value)
    else if (key !== 'error') return { problem: `invalid check option ${JSON.stringify(key)}` }
    else if (['true', '1', 't'].includes(value.toLowerCase())) error = true
    else if (['false', '0', 'f'].includes(value.toLowerCase())) error = false
    else return { problem: `failed to parse check option "error": ${JSON.stringify(value)} is no boolean` }
  }
  return { skip, experimental, error }
}

export function isChecked(rule: RuleName, { skip, experimental }: CheckOptions): boolean {
  if ('experimental' in rules[rule]) return experimental === 'all' || experimental.has(rule)
  return skip !== 'all' && !skip.has(rule)
}

function readNames(value: string): ReadonlySet<string> | 'all' {
  const names = value.split(',').map((name) => name.trim())
  return names.length === 1 && names[0] === 'all' ? 'all' : new Set(names)
}

function splitOnce(option: string): readonly [string, string?] {
  const at = option.indexOf('=')
  return at === -1 ? [option] : [option.slice(0, at).trim(), option.slice(at + 1).trim()]
}

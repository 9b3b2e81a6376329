import { didYouMean } from '#base/nearest.ts'
import { DurationError, parseGoDuration } from '#base/go-duration.ts'
import { SyntaxFailure } from './failure.ts'
import { Flags } from './flags.ts'
import type {
  CommandInstruction,
  Device,
  Flag,
  Healthcheck,
  HealthcheckConfig,
  Run,
  Shell,
} from './instruction.ts'
import { mountFrom, parseMount } from './run-mount.ts'
import type { Statement } from './statement.ts'
import { readJsonArray } from './words.ts'

export function readRun(statement: Statement): Run {
  const flags = new Flags(statement.flags, {
    mount: 'list',
    network: 'text',
    security: 'text',
    device: 'list',
  })
  const mounts = flags.list('mount')
  mounts.forEach(checkMount)
  return {
    ...statement.base(statement.restWords()),
    kind: 'run',
    command: statement.commandLine,
    heredocs: statement.line.heredocs,
    mounts: mounts.map(({ value = '' }) => value),
    network: oneOf(flags.flag('network'), ['default', 'none', 'host'], 'network mode'),
    security: oneOf(flags.flag('security'), ['sandbox', 'insecure'], 'security mode'),
    devices: flags.list('device').map(readDevice),
  }
}

export function readCommand(statement: Statement, kind: CommandInstruction['kind']): CommandInstruction {
  void new Flags(statement.flags, {})
  return { ...statement.base(statement.restWords()), kind, command: statement.commandLine }
}

export function readShell(statement: Statement): Shell {
  void new Flags(statement.flags, {})
  const shell = statement.json
  const example = 'Write SHELL ["/bin/bash", "-c"].'
  if (statement.rest === '' || shell?.length === 0)
    throw statement.failure('SHELL requires at least one argument', example)
  if (shell === undefined) throw statement.failure('SHELL requires the arguments to be in JSON form', example)
  return { ...statement.base(statement.restWords()), kind: 'shell', shell }
}

export function readHealthcheck(statement: Statement): Healthcheck {
  const base = statement.base(statement.restWords())
  const match = /^(\S+)\s*([^]*)$/.exec(statement.rest)
  if (match === null) throw statement.failure('HEALTHCHECK requires at least one argument', HEALTHCHECK_HINT)
  const [, written = '', rest = ''] = match
  const type = written.toUpperCase()
  if (type === 'NONE') {
    if (rest !== '') throw statement.failure('HEALTHCHECK NONE takes no arguments')
    return { ...base, kind: 'healthcheck', check: { type: 'none' } }
  }
  const known = {
    interval: 'text',
    timeout: 'text',
    'start-period': 'text',
    'start-interval': 'text',
  } as const
  const flags = new Flags(statement.flags, { ...known, retries: 'text' })
  if (type !== 'CMD')
    throw statement.failure(`Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`, HEALTHCHECK_HINT)
  const args = readJsonArray(rest)
  if (rest === '' || args?.length === 0)
    throw statement.failure('Missing command after HEALTHCHECK CMD', HEALTHCHECK_HINT)
  const check: HealthcheckConfig = {
    type: 'command',
    command: args === undefined ? { form: 'shell', text: rest } : { form: 'exec', args },
    interval: interval(flags.flag('interval')),
    timeout: interval(flags.flag('timeout')),
    startPeriod: interval(flags.flag('start-period')),
    startInterval: interval(flags.flag('start-interval')),
    retries: retries(flags.flag('retries')),
  }
  return { ...base, kind: 'healthcheck', check }
}

const HEALTHCHECK_HINT = 'Write HEALTHCHECK CMD command, or HEALTHCHECK NONE.'

/** A mount's options can hold variables; without any, mistakes are told at once. */
function checkMount({ value = '', range }: Flag): void {
  try {
    mountFrom(value)
    if (!value.includes('$')) parseMount(value, (text) => text)
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error
    throw new SyntaxFailure(error.message, {
      range,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    })
  }
}

function readDevice({ value = '', range }: Flag): Device {
  const [name = '', ...rest] = value.split(',')
  if (name === '' || rest.some((field) => !/^required(=(true|false))?$/.test(field)))
    throw new SyntaxFailure(`invalid device ${JSON.stringify(value)}`, {
      range,
      hint: 'Write --device=vendor.com/class=name or --device=vendor.com/class,required.',
    })
  return { name, required: rest.some((field) => field !== 'required=false') }
}

function oneOf<T extends string>(flag: Flag | undefined, allowed: readonly [T, ...T[]], noun: string): T {
  if (flag === undefined) return allowed[0]
  const { value = '', range } = flag
  const found = allowed.find((candidate) => candidate === value.toLowerCase())
  if (found !== undefined) return found
  const message = `invalid ${noun} ${JSON.stringify(value)}${didYouMean(value, allowed)}`
  throw new SyntaxFailure(message, { range, hint: `Possible are ${allowed.join(', ')}.` })
}

const HINT = 'A duration is like 30s, 1m30s or 500ms.'

/** Nanoseconds; 0, the default, when not given or given as 0. */
function interval(flag: Flag | undefined): number {
  if (flag === undefined || flag.value === undefined || flag.value === '') return 0
  const { name, value, range } = flag
  try {
    const nanoseconds = parseGoDuration(value)
    if (nanoseconds === 0 || nanoseconds >= 1e6) return nanoseconds
  } catch (error) {
    if (!(error instanceof DurationError)) throw error
    throw new SyntaxFailure(error.message, { range, ...(error.problem === 'unit' && { hint: HINT }) })
  }
  throw new SyntaxFailure(`Interval ${JSON.stringify(name)} cannot be less than 1ms`, { range })
}

function retries(flag: Flag | undefined): number {
  if (flag === undefined || flag.value === undefined || flag.value === '') return 0
  const { value, range } = flag
  if (!/^[-+]?\d+$/.test(value))
    throw new SyntaxFailure(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`, { range })
  const number = Number(value)
  if (number >= 2 ** 31 || number < -(2 ** 31))
    throw new SyntaxFailure(`strconv.ParseInt: parsing ${JSON.stringify(value)}: value out of range`, {
      range,
    })
  if (number < 0) throw new SyntaxFailure(`--retries cannot be negative (${number})`, { range })
  return number
}

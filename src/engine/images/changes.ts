/**
 * The Dockerfile instructions that `commit --change` and `import --change` take, applied to a config. Pure; the
 * language is that of a Dockerfile line (JSON or shell form, quotes, `$VAR`), not of a whole Dockerfile.
 */
import { EngineError } from '#base/errors.ts'
import type { Healthcheck, RunConfig } from '#oci/image-spec.ts'
import { expandWord, splitWords } from './words.ts'

/** `config` after all changes, in order. Throws `invalid_argument` that names the instruction. */
export function applyChanges(config: RunConfig, changes: readonly string[]): RunConfig {
  let current: Changing = { config, cmdGiven: false }
  for (const change of changes) {
    for (const line of logicalLines(change)) current = applyLine(current, line)
  }
  return current.config
}

interface Changing {
  readonly config: RunConfig
  /** CMD was among the changes: a later ENTRYPOINT leaves it alone. */
  readonly cmdGiven: boolean
}

/** One instruction: `rest` is its text, `expand` replaces variables by the environment of the config so far. */
interface Instruction {
  readonly name: string
  readonly rest: string
  readonly config: RunConfig
  readonly expand: (text: string) => string
}

function applyLine({ config, cmdGiven }: Changing, line: string): Changing {
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? []
  const name = word.toUpperCase()
  const apply = Object.hasOwn(instructions, name) ? instructions[name] : undefined
  if (apply === undefined) throw invalid(`${word} is not a valid change command`)
  const mayBeEmpty = name === 'CMD' || name === 'ENTRYPOINT' || name === 'USER'
  if (rest === '' && !mayBeEmpty) throw invalid(`${name} requires at least one argument`)

  const environment = new Map((config.Env ?? []).map(splitVariable))
  const expand = (text: string): string => expandWord(text, environment)
  const changed = apply({ name, rest, config, expand })
  // The command of the parent image was meant for its entrypoint.
  const resetCmd = name === 'ENTRYPOINT' && !cmdGiven
  return {
    config: { ...config, ...changed, ...(resetCmd ? { Cmd: null } : {}) },
    cmdGiven: cmdGiven || name === 'CMD',
  }
}

const instructions: Readonly<Record<string, (instruction: Instruction) => RunConfig>> = {
  CMD: ({ rest, config }) => ({ Cmd: command(rest, config) }),
  ENTRYPOINT: ({ rest, config }) => ({ Entrypoint: command(rest, config) }),
  ENV: (instruction) => ({ Env: withVariables(instruction.config.Env ?? [], pairs(instruction)) }),
  LABEL: (instruction) => ({
    Labels: { ...instruction.config.Labels, ...Object.fromEntries(pairs(instruction)) },
  }),
  EXPOSE: ({ rest, config, expand }) => ({
    ExposedPorts: { ...config.ExposedPorts, ...asKeys(splitWords(rest).map(expand).flatMap(ports)) },
  }),
  VOLUME: ({ rest, config, expand }) => ({
    Volumes: { ...config.Volumes, ...asKeys((jsonForm(rest) ?? splitWords(rest)).map(expand).map(volume)) },
  }),
  USER: ({ rest, expand }) => ({ User: expand(rest) }),
  WORKDIR: ({ rest, config, expand }) => ({ WorkingDir: joinPath(config.WorkingDir ?? '', expand(rest)) }),
  STOPSIGNAL: ({ rest, expand }) => ({ StopSignal: stopSignal(expand(rest)) }),
  ONBUILD: ({ rest, config }) => ({ OnBuild: [...(config.OnBuild ?? []), onBuild(rest)] }),
  HEALTHCHECK: ({ rest }) => ({ Healthcheck: healthcheck(rest) }),
}

/** Lines with continuations joined; comments and empty lines are left out. */
function logicalLines(change: string): readonly string[] {
  return change
    .replaceAll(/\\[ \t]*\r?\n/g, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

/** A JSON list of strings, or undefined for the other form. */
function jsonForm(rest: string): readonly string[] | undefined {
  if (!rest.startsWith('[')) return undefined
  let value: unknown
  try {
    value = JSON.parse(rest)
  } catch (error) {
    // Not JSON: Docker then takes it as the shell form, and so do people's Dockerfiles.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  return Array.isArray(value) && value.every((word) => typeof word === 'string') ? value : undefined
}

const DEFAULT_SHELL = ['/bin/sh', '-c']

function command(rest: string, config: RunConfig): readonly string[] | null {
  if (rest === '') return null
  const shell = config.Shell ?? []
  return jsonForm(rest) ?? [...(shell.length > 0 ? shell : DEFAULT_SHELL), rest]
}

/** `a=b c="d e"`, or the old `a rest of the line`. */
function pairs({ name, rest, expand }: Instruction): readonly (readonly [string, string])[] {
  const words = splitWords(rest)
  const [first = ''] = words
  if (!first.includes('=')) {
    const [, key = '', value] = /^(\S+)\s+(.*)$/s.exec(rest) ?? []
    if (value === undefined) throw invalid(`${name} must have two arguments`)
    return [[expand(key), expand(value)]]
  }
  return words.map((word) => {
    const at = word.indexOf('=')
    if (at === -1)
      throw invalid(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`)
    const key = expand(word.slice(0, at))
    if (key === '') throw invalid(`${name} names can not be blank`)
    return [key, expand(word.slice(at + 1))] as const
  })
}

function withVariables(
  before: readonly string[],
  changes: readonly (readonly [string, string])[],
): readonly string[] {
  const result = [...before]
  for (const [key, value] of changes) {
    const at = result.findIndex((entry) => splitVariable(entry)[0] === key)
    if (at === -1) result.push(`${key}=${value}`)
    else result[at] = `${key}=${value}`
  }
  return result
}

function splitVariable(entry: string): readonly [string, string] {
  const at = entry.indexOf('=')
  return at === -1 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
}

/** `80`, `80/udp`, `8000-8010/tcp`; Docker's `host:container` form keeps the container's half. */
function ports(text: string): readonly string[] {
  const match = /^(?:(?:[\d.]*:)?[\d-]*:)?(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? first)
  if (match === null || first > last || last > 65_535) throw invalid(`Invalid containerPort: ${text}`)
  const protocol = (match[3] ?? 'tcp').toLowerCase()
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${protocol}`)
}

function volume(text: string): string {
  const path = text.trim()
  if (path === '') throw invalid('VOLUME specified can not be an empty string')
  return path
}

function asKeys(keys: readonly string[]): Record<string, object> {
  return Object.fromEntries(keys.map((key) => [key, {}]))
}

/** `path` seen from `base`, without `.`, `..` and double slashes. */
function joinPath(base: string, path: string): string {
  const parts: string[] = []
  for (const part of `${path.startsWith('/') ? '' : base}/${path}`.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

function stopSignal(text: string): string {
  const number = /^\d+$/.test(text) ? Number(text) : undefined
  const known =
    number === undefined
      ? /^(?:SIG)?[A-Z][A-Z0-9]*(?:[+-]\d{1,2})?$/i.test(text)
      : number >= 1 && number <= 64
  if (!known) throw invalid(`invalid signal: ${text}`)
  return text
}

function onBuild(rest: string): string {
  const [trigger = ''] = rest.split(/\s/, 1)
  const name = trigger.toUpperCase()
  if (name === 'ONBUILD') throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
  if (name === 'MAINTAINER' || name === 'FROM') throw invalid(`${name} isn't allowed as an ONBUILD trigger`)
  return rest
}

const HEALTH_FLAGS: Readonly<Record<string, 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval'>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
}

function healthcheck(rest: string): Healthcheck {
  let text = rest
  const options: Record<string, number> = {}
  for (let match = FLAG.exec(text); match !== null; match = FLAG.exec(text)) {
    const [whole, flag = '', value = ''] = match
    text = text.slice(whole.length)
    const field = HEALTH_FLAGS[flag]
    if (field !== undefined) options[field] = nanoseconds(flag, value)
    else if (flag === 'retries') options['Retries'] = retries(value)
    else throw invalid(`Unknown flag: ${flag}`)
  }
  const [, type = '', argument = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? []
  switch (type.toUpperCase()) {
    case 'NONE':
      if (argument !== '') throw invalid('HEALTHCHECK NONE takes no arguments')
      return { Test: ['NONE'] }
    case 'CMD': {
      if (argument === '') throw invalid('Missing command after HEALTHCHECK CMD')
      const list = jsonForm(argument)
      return { Test: list === undefined ? ['CMD-SHELL', argument] : ['CMD', ...list], ...options }
    }
    default:
      throw invalid(`Unknown type ${JSON.stringify(type.toUpperCase())} in HEALTHCHECK (try CMD)`)
  }
}

const FLAG = /^--([a-z-]+)=(\S*)\s+/
const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

function nanoseconds(flag: string, text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text) && text !== '0') {
    throw invalid(`time: invalid duration ${JSON.stringify(text)}`)
  }
  let sum = 0
  for (const [, number, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)([a-zµ]+)/g)) {
    sum += Number(number) * (UNITS[unit] ?? 0)
  }
  if (sum !== 0 && sum < 1e6) throw invalid(`Interval ${JSON.stringify(flag)} cannot be less than 1ms`)
  return Math.round(sum)
}

function retries(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw invalid(`--retries must be at least 0 (not ${text})`)
  return Number(text)
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CHANGE_INVALID' })
}

import { SyntaxFailure } from './failure.ts'
import { parseFileMode } from './file-mode.ts'
import type { Instruction } from './instruction.ts'
import { parsePorts } from './ports.ts'

const SIGNALS: ReadonlySet<string> = new Set(
  (
    'HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD CONT STOP TSTP TTIN TTOU ' +
    'URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS RTMIN RTMAX'
  ).split(' '),
)

/** Refuses values that can only be judged once variables are put in. */
export function checkValues(instruction: Instruction): void {
  switch (instruction.kind) {
    case 'expose':
      return instruction.ports.forEach((port) => void parsePorts(port))
    case 'stopsignal':
      return checkSignal(instruction.value)
    case 'add':
      checkChecksum(instruction.checksum, instruction.sources)
      return checkMode(instruction.chmod)
    case 'copy':
      return checkMode(instruction.chmod)
    case 'volume':
      return checkPaths(instruction.paths)
    case 'env':
      return checkNames(instruction.pairs.map(({ key }) => key))
    default:
      return undefined
  }
}

function checkSignal(text: string): void {
  const name = text.toUpperCase().replace(/^SIG/, '')
  const realtime = /^(?:RTMIN\+|RTMAX-)(\d+)$/.exec(name)
  const known = /^\d+$/.test(text) ? Number(text) > 0 && Number(text) <= 64 : SIGNALS.has(name)
  if (known || (realtime !== null && Number(realtime[1]) <= 30)) return
  throw new SyntaxFailure(`invalid signal: ${text}`, { hint: 'A signal is like SIGTERM, TERM or 15.' })
}

function checkMode(text: string | undefined): void {
  if (text !== undefined && text !== '') parseFileMode(text)
}

/** A digest of a file, or the (beginning of the) commit of a git source. */
function checkChecksum(text: string | undefined, sources: readonly string[]): void {
  if (text === undefined || text === '') return
  const hint = 'A checksum is sha256: and 64 hexadecimal digits; for git, a commit.'
  if (!/^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}|[0-9a-f]{7,64})$/.test(text))
    throw new SyntaxFailure('invalid checksum digest format', { hint })
  if (sources.length !== 1) throw new SyntaxFailure("checksum can't be specified for multiple sources")
}

function checkPaths(paths: readonly string[]): void {
  if (paths.some((path) => path === ''))
    throw new SyntaxFailure('VOLUME specified can not be an empty string')
}

function checkNames(names: readonly string[]): void {
  if (names.includes('')) throw new SyntaxFailure('ENV names can not be blank')
}

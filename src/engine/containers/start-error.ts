/**
 * The runtime's own words about a process that could not be started, turned into Docker's: clients derive the exit
 * codes 126 and 127 from them.
 */
export interface StartError {
  readonly message: string
  readonly exitCode: 126 | 127 | 128
}

const MIXED_UP =
  'Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type'

export function startError(command: string, text: string): StartError {
  const quoted = JSON.stringify(command)
  if (/executable file .*not found/i.test(text)) {
    if (command.includes('/')) {
      return {
        message: `exec: ${quoted}: stat ${command}: no such file or directory: unknown`,
        exitCode: 127,
      }
    }
    return { message: `exec: ${quoted}: executable file not found in $PATH: unknown`, exitCode: 127 }
  }
  if (/permission denied|open executable: operation not permitted/i.test(text)) {
    return { message: `exec: ${quoted}: permission denied: unknown`, exitCode: 126 }
  }
  if (/is a directory/i.test(text)) {
    return { message: `exec: ${quoted}: is a directory: permission denied: unknown`, exitCode: 126 }
  }
  if (/^mount .*: not a directory/i.test(text))
    return { message: `${text}: unknown: ${MIXED_UP}`, exitCode: 127 }
  if (/no such file or directory/i.test(text)) {
    const about = text.replace(/no such file or directory/gi, 'no such file or directory').trim()
    return { message: `exec: ${quoted}: ${about}: unknown`, exitCode: 127 }
  }
  return { message: text, exitCode: 128 }
}

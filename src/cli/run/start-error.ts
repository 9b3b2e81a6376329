import { errorText } from '../errors.ts'

/** The exit code that stands for a failed start, read from the words of the error as Docker does. */
export function startExitCode(error: unknown): 125 | 126 | 127 {
  const text = errorText(error)
  if (/executable file not found|no such file or directory/.test(text)) return 127
  return /permission denied|is a directory/.test(text) ? 126 : 125
}

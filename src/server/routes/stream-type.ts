import { isBefore, type ApiVersion } from '#api/version.ts'

/** The content type of logs and attached streams; what the bytes are depends on the terminal alone. */
export function streamContentType(tty: boolean, version: ApiVersion): string {
  return tty || isBefore(version, '1.42')
    ? 'application/vnd.docker.raw-stream'
    : 'application/vnd.docker.multiplexed-stream'
}

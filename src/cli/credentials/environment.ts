import type { Context } from '../command.ts'

/** A JSON object with `auths` that goes before the configuration file. */
export const AUTH_VARIABLE = 'DOCKER_AUTH_CONFIG'

/** Whoever logs in or out ought to know that something else goes before what is stored. */
export function warnOfEnvironment({ io, err }: Pick<Context, 'io' | 'err'>): void {
  if ((io.env[AUTH_VARIABLE] ?? '') === '') return
  err(`WARNING! ${AUTH_VARIABLE} is set; the credentials in it go before those that are stored.\n`)
}

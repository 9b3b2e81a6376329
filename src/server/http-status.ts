import type { ErrorKind } from '#base/errors.ts'

/** The one place where a failure becomes a status of Docker's HTTP API. */
export const httpStatus: Readonly<Record<ErrorKind, number>> = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  conflict: 409,
  resource_exhausted: 429,
  cancelled: 499, // nobody is left to read it; it is for the access log
  internal: 500,
  data_loss: 500,
  not_implemented: 501,
  unavailable: 503,
}

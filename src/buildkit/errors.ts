import { EngineError } from '#base/errors.ts'

export function noSuchJob(ref: string): EngineError {
  return new EngineError('not_found', `no such job ${ref}: the build has ended, or it never began`, {
    code: 'BUILD_NOT_FOUND',
    details: { ref },
  })
}

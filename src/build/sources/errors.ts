import { EngineError } from '#base/errors.ts'

/** A file is not what it was when the build looked at it; `source` is its source's name. */
export function changedFile(source: string, path: string): EngineError {
  return new EngineError(
    'data_loss',
    `${source}: ${path} has changed while it was read\nBuild again when nobody writes to it, or name it in .dockerignore.`,
    { code: 'SOURCE_CHANGED', details: { source, path } },
  )
}

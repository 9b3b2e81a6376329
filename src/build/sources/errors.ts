import { EngineError, isErrno } from '#base/errors.ts'

/** The kernel refuses a file or directory of this host: its own word is at the end. */
export function unreadable(path: string, cause: unknown): EngineError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  const kind = isErrno(cause, 'EACCES', 'EPERM')
    ? 'permission_denied'
    : isErrno(cause, 'EMFILE', 'ENFILE', 'ENOMEM')
      ? 'resource_exhausted'
      : 'internal'
  return new EngineError(kind, `cannot read ${path}: ${errno}`, {
    code: 'SOURCE_UNREADABLE',
    details: { path, errno },
    cause,
  })
}

/** A file is not what it was when the build looked at it; `source` is its source's name. */
export function changedFile(source: string, path: string): EngineError {
  return new EngineError(
    'data_loss',
    `${source}: ${path} has changed while it was read\nBuild again when nobody writes to it, or name it in .dockerignore.`,
    { code: 'SOURCE_CHANGED', details: { source, path } },
  )
}

import { EngineError } from '#base/errors.ts'
import { nearest } from '#base/nearest.ts'

/** The beginning is BuildKit's wording, which scripts look for. `near`: names that are there instead. */
export function sourceNotFound(
  source: string,
  path: string,
  hints: { readonly ignoredBy: string | undefined; readonly near: Iterable<string> },
): EngineError {
  const slash = path.lastIndexOf('/') + 1
  const near = nearest(path.slice(slash), hints.near)
  const hint =
    hints.ignoredBy !== undefined
      ? `${hints.ignoredBy} leaves it out: to have it, add "!${path}" at its end.`
      : near === undefined
        ? `Paths are relative to the root of the ${source}.`
        : `Did you mean "/${path.slice(0, slash)}${near}"?`
  return new EngineError(
    'invalid_argument',
    `failed to compute cache key: failed to calculate checksum of ref ${source}: "/${path}": not found\n${hint}`,
    { code: 'COPY_SOURCE_NOT_FOUND', details: { source, path } },
  )
}

export function patternInvalid(pattern: string, why: string): EngineError {
  return new EngineError('invalid_argument', `${why}: ${JSON.stringify(pattern)}`, {
    code: 'COPY_PATTERN_INVALID',
    details: { pattern },
  })
}

/** `path` as in the layer, without a slash in front; `link`: where a symlink that is there leads. */
export function notDirectory(path: string, link?: string): EngineError {
  const hint = link === undefined ? '' : `\nIt is a symbolic link to ${link}: copy to there instead.`
  return destination(path, `cannot copy to non-directory: /${path}${hint}`)
}

export function isDirectory(path: string): EngineError {
  return destination(path, `cannot replace to directory /${path} with file`)
}

export function cannotMake(path: string): EngineError {
  return destination(path, `mkdir /${path}: not a directory`)
}

export function tooManyLinks(path: string): EngineError {
  return destination(path, `/${path}: too many links`)
}

export function severalToOneFile(path: string): EngineError {
  return destination(
    path,
    `When using COPY or ADD with more than one source file, the destination must be a directory and end with a /: /${path}`,
  )
}

function destination(path: string, message: string): EngineError {
  return new EngineError('invalid_argument', message, {
    code: 'COPY_DESTINATION_INVALID',
    details: { path },
  })
}

/** A layer would say something else with such a file than that it is there. */
export function notForLayers(path: string, why: string): EngineError {
  return new EngineError(
    'invalid_argument',
    `/${path}: ${why}, which no layer can hold\nChange it, or leave it out with --exclude or .dockerignore.`,
    { code: 'COPY_FILE_UNSUPPORTED', details: { path } },
  )
}

export function tooManyFiles(path: string, most: number): EngineError {
  return new EngineError(
    'invalid_argument',
    `/${path}: a layer can have ${most} files, and this is one more`,
    {
      code: 'COPY_FILE_UNSUPPORTED',
      details: { path, most },
    },
  )
}

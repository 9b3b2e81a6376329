import { type Problem, composeError, problemAt, projectError } from '../document/errors.ts'
import { type Mapping, type Node, mapping } from '../document/node.ts'
import { parseDocuments } from '../document/parse.ts'
import type { Lookup } from '../environment/template.ts'
import { conform } from '../schema/conform.ts'
import { project as projectShape } from '../schema/project.ts'
import type { Files } from './files.ts'
import { interpolate } from './interpolate.ts'
import { merge } from './merge.ts'

/** What loading needs to know, whichever file is read. */
export interface Loading {
  readonly files: Files
  readonly home: string
  /** Off for `config --no-interpolate`. */
  readonly interpolates: boolean
  /** Off for `config --no-path-resolution`. */
  readonly resolvesPaths: boolean
  /** Variables that are not set, each once. */
  readonly missing: (name: string) => void
  readonly warn: (message: string) => void
}

/** Where a file is read: for its relative paths, and for its variables. */
export interface Surroundings {
  readonly directory: string
  readonly lookup: Lookup
  /** Files that led here by `include`, outermost first. */
  readonly includedBy: readonly string[]
}

/** One file in the form that the schema wants, variables in place; several documents in it are merged in order. */
export function readSource(file: string, surroundings: Surroundings, loading: Loading): Mapping {
  const text = loading.files.read(file)
  if (text === undefined) throw projectError(`open ${file}: no such file or directory; name it with -f`)
  const documents = parseDocuments(text, file).map((document) =>
    readDocument(document, surroundings, loading),
  )
  const merged = documents.reduce((base, other) => merge(base, other, projectShape) as Mapping)
  return merged
}

function readDocument(document: Node, { lookup }: Surroundings, loading: Loading): Mapping {
  if (document.kind === 'scalar' && document.value === null) return mapping([], document.place)
  if (document.kind !== 'mapping')
    throw problemAt(document.place, 'the top level of a project file is a mapping')
  const interpolated = loading.interpolates ? interpolate(document, lookup, loading.missing) : document
  const problems: Problem[] = []
  const conformed = conform(interpolated, projectShape, '', problems)
  if (problems.length > 0) throw composeError(problems)
  return conformed as Mapping
}

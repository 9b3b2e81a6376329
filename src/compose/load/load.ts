import type { Mapping } from '../document/node.ts'
import { project as projectShape } from '../schema/project.ts'
import { applyExtends } from './extends.ts'
import { applyIncludes } from './include.ts'
import { merge, settle } from './merge.ts'
import { absolutePaths } from './paths.ts'
import { type Loading, type Surroundings, readSource } from './source.ts'

/** Files of one project in the order in which they were named, as one: each with what it extends and includes. */
export function loadFiles(paths: readonly string[], surroundings: Surroundings, loading: Loading): Mapping {
  const sources = paths.map((path) => loadFile(path, surroundings, loading))
  const merged = sources.reduce((base, other) => merge(base, other, projectShape) as Mapping)
  return settle(merged, projectShape) as Mapping
}

function loadFile(file: string, surroundings: Surroundings, loading: Loading): Mapping {
  const { includedBy } = surroundings
  const here = { ...surroundings, includedBy: includedBy.includes(file) ? includedBy : [...includedBy, file] }
  const source = applyExtends(readSource(file, here, loading), file, here, loading)
  const complete = applyIncludes(source, here, loading, loadFiles)
  const { home, resolvesPaths } = loading
  return resolvesPaths ? absolutePaths(complete, { directory: here.directory, home }) : complete
}

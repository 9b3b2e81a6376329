import { dirname, join } from 'node:path'
import { problemAt } from '../document/errors.ts'
import {
  type Mapping,
  type Node,
  type Place,
  entryOf,
  plainOf,
  textOf,
  withEntries,
} from '../document/node.ts'
import { parseDotenv } from '../environment/dotenv.ts'
import type { Lookup } from '../environment/template.ts'
import { absolutePath } from './paths.ts'
import type { Loading, Surroundings } from './source.ts'

const SECTIONS = ['services', 'networks', 'volumes', 'configs', 'secrets', 'models'] as const

/** Loads a set of files that belong together; given, so that files can include files. */
export type LoadFiles = (paths: readonly string[], surroundings: Surroundings, loading: Loading) => Mapping

/** The file with what it includes added. The same name twice is an error unless both say the same. */
export function applyIncludes(
  source: Mapping,
  surroundings: Surroundings,
  loading: Loading,
  loadFiles: LoadFiles,
): Mapping {
  const includes = source.entries.get('include')
  let result = withEntries(source, { include: undefined })
  if (includes?.kind !== 'sequence') return result
  for (const include of includes.items) {
    const paths = texts(entryOf(include, 'path')).map((path) =>
      absolutePath(path, { directory: surroundings.directory, home: loading.home }),
    )
    checkPaths(paths, include.place, surroundings, loading)
    const inner = surroundingsOf(include, paths, surroundings, loading)
    result = addResources(result, loadFiles(paths, inner, loading))
  }
  return result
}

function checkPaths(
  paths: readonly string[],
  place: Place,
  { includedBy }: Surroundings,
  { files }: Loading,
): void {
  for (const path of paths) {
    if (/^(?:oci|https?|git|ssh):\/\//.test(path)) {
      throw problemAt(place, `${path}: only files of this machine can be included; fetch it first`)
    }
    if (includedBy.includes(path)) {
      throw problemAt(place, `files include each other in a circle: ${[...includedBy, path].join(' -> ')}`)
    }
    if (files.read(path) === undefined) throw problemAt(place, `cannot read ${path}, which is included here`)
  }
}

/** An included file has its own directory and its own `.env`; variables of outside win. */
function surroundingsOf(
  include: Node,
  paths: readonly string[],
  outer: Surroundings,
  loading: Loading,
): Surroundings {
  const [first = ''] = paths
  const base = { directory: outer.directory, home: loading.home }
  const given = textOf(entryOf(include, 'project_directory'))
  const directory = given === undefined ? dirname(first) : absolutePath(given, base)
  const named = texts(entryOf(include, 'env_file'))
  const envFiles =
    named.length === 0 ? [join(directory, '.env')] : named.map((path) => absolutePath(path, base))
  const variables = new Map<string, string>()
  for (const file of envFiles) {
    const text = loading.files.read(file)
    if (text === undefined && named.length > 0)
      throw problemAt(include.place, `couldn't find env file: ${file}`)
    for (const [name, value] of parseDotenv(text ?? '', file, outer.lookup)) variables.set(name, value)
  }
  const lookup: Lookup = (name) => outer.lookup(name) ?? variables.get(name)
  return { directory, lookup, includedBy: [...outer.includedBy, ...paths] }
}

function addResources(source: Mapping, included: Mapping): Mapping {
  let result = source
  for (const section of SECTIONS) {
    const added = included.entries.get(section)
    if (added?.kind !== 'mapping') continue
    const own = result.entries.get(section)
    const entries = new Map(own?.kind === 'mapping' ? own.entries : [])
    for (const [name, node] of added.entries) {
      const before = entries.get(name)
      if (before !== undefined && !isSame(before, node)) {
        throw problemAt(
          node.place,
          `${section}.${name} is already in ${before.place.file}:${before.place.line}, and says something else`,
        )
      }
      entries.set(name, node)
    }
    result = withEntries(result, { [section]: { ...added, entries } })
  }
  return result
}

function isSame(a: Node, b: Node): boolean {
  return JSON.stringify(plainOf(a)) === JSON.stringify(plainOf(b))
}

function texts(node: Node | undefined): readonly string[] {
  return node?.kind === 'sequence' ? node.items.flatMap((item) => textOf(item) ?? []) : []
}

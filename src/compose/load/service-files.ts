import { projectError } from '../document/errors.ts'
import { type Variables as FileVariables, parseDotenv } from '../environment/dotenv.ts'
import type { Lookup } from '../environment/template.ts'
import type { Project, Service } from '../model/project.ts'
import type { Files } from './files.ts'

interface Reading {
  readonly files: Files
  readonly lookup: Lookup
  readonly placeOf: Project['placeOf']
}

/** The service with what its `env_file` and `label_file` say put into `environment` and `labels`, which win. */
export function withServiceFiles(name: string, service: Service, reading: Reading): Service {
  const { files, lookup, placeOf } = reading
  const { env_file, label_file, ...rest } = service
  const variables = new Map<string, string>()
  const known: Lookup = (each) => rest.environment?.[each] ?? lookup(each)
  const earlier: Lookup = (each) => variables.get(each)
  for (const [i, { path, required = true, format }] of (env_file ?? []).entries()) {
    const text = files.read(path)
    if (text === undefined && !required) continue
    if (text === undefined || files.isDirectory(path)) {
      throw projectError(`service ${JSON.stringify(name)}: env file ${path} not found: no such file`, {
        place: placeOf('services', name, 'env_file', i),
      })
    }
    const read = format === 'raw' ? rawVariables(text) : parseDotenv(text, path, known, earlier)
    for (const [key, value] of read) variables.set(key, value)
  }
  const labels = (label_file ?? []).map((path) => labelsOf(name, path, reading))
  const read = new Map(labels.flatMap((each) => [...each]))
  return {
    ...rest,
    ...(variables.size === 0
      ? {}
      : { environment: { ...Object.fromEntries(variables), ...rest.environment } }),
    ...(read.size === 0 ? {} : { labels: { ...Object.fromEntries(read), ...rest.labels } }),
  }
}

function labelsOf(name: string, path: string, { files, lookup, placeOf }: Reading): FileVariables {
  const text = files.read(path)
  if (text === undefined) {
    throw projectError(`service ${JSON.stringify(name)}: label file ${path} not found`, {
      place: placeOf('services', name, 'label_file'),
    })
  }
  return parseDotenv(text, path, lookup)
}

/** `NAME=VALUE` per line, where quotes and dollars mean nothing. */
function rawVariables(text: string): FileVariables {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'))
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const at = line.indexOf('=')
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]]
    }),
  )
}

import { errorText, evaluationError, hasCode, withTemplatePrefix } from '../errors.ts'
import { alignColumns } from './table.ts'
import { headerFunctions } from './template/functions.ts'
import { toJson } from './template/print.ts'
import { Template } from './template/template.ts'
import { view, type View } from './template/view.ts'

/** The title of every field that a table may have as a column. */
export type Headers = Readonly<Record<string, string>>

/**
 * What `--format` makes of objects: `json` is a JSON object per line, `table …` has a header and aligned columns,
 * anything else is a template per object, each on lines of its own.
 */
export function formatList(format: string, headers: Headers, views: readonly View[]): string {
  const prefixes = { parse: 'failed to parse template', execute: 'failed to execute template' }
  try {
    return withTemplatePrefix(prefixes, () => render(format, headers, views))
  } catch (error) {
    // Here, and only here, a format that cannot be read is a failure like any other: exit code 1.
    throw hasCode(error, 'TEMPLATE_INVALID') ? evaluationError(errorText(error)) : error
  }
}

function render(format: string, headers: Headers, views: readonly View[]): string {
  if (format === 'json') return views.map((each) => `${toJson(each)}\n`).join('')
  const isTable = format === 'table' || format.startsWith('table ')
  const source = unescapeFormat(isTable ? format.slice('table'.length).trim() : format)
  const template = new Template(source)
  const lines = views.map((each) => `${template.execute(each)}\n`).join('')
  if (!isTable) return lines
  return alignColumns(`${header(source, headers)}\n${lines}`)
}

/**
 * `format` when it was given, else the configured one, else the default; `table` alone means the default table, and
 * `raw` these fields, line by line.
 */
export function chooseFormat(
  format: string,
  configured: string | undefined,
  table: string,
  raw: readonly string[] = [],
): string {
  const chosen = format === '' ? (configured ?? '') : format
  if (chosen === 'raw' && raw.length > 0) return raw.map(rawLine).join('')
  return chosen === '' || chosen === 'table' ? table : chosen
}

/** `container_id=ID` is the line `container_id: {{.ID}}`; what is empty leaves no blank at its end. */
function rawLine(field: string): string {
  const [title = '', name = ''] = field.split('=')
  return `${title}: {{- pad .${name} 1 0}}\\n`
}

/** Evaluates the template once more, with each field standing for its own title. */
function header(source: string, headers: Headers): string {
  const fields = Object.fromEntries(Object.entries(headers).map(([name, title]) => [name, () => title]))
  const methods = { Label: (key: string) => labelTitle(key) }
  const titles = view('formatter.SubHeaderContext', { ...fields, ...methods })
  return new Template(source, { functions: headerFunctions }).execute(titles)
}

/** `com.example.my-key` becomes `my key`. */
function labelTitle(key: string): string {
  return (key.split('.').at(-1) ?? '').replaceAll(/[-_]/g, ' ')
}

/** In the shell's single quotes `\t` and `\n` are two characters each. */
export function unescapeFormat(format: string): string {
  return format.replaceAll('\\t', '\t').replaceAll('\\n', '\n')
}

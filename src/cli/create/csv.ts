import { valueError } from '../errors.ts'

/** The fields of one CSV line: separated by commas, quoted with `"`, `""` inside quotes is one quote. RFC 4180. */
export function csvFields(line: string): string[] {
  const fields: string[] = []
  let at = 0
  for (;;) {
    if (line.startsWith('"', at)) {
      const quoted = /"((?:[^"]|"")*)"(?=,|$)/y
      quoted.lastIndex = at
      const match = quoted.exec(line)
      if (match === null)
        throw valueError(`parse error on line 1, column ${at + 1}: extraneous or missing " in quoted-field`)
      fields.push((match[1] ?? '').replaceAll('""', '"'))
      at = quoted.lastIndex
    } else {
      const comma = line.indexOf(',', at)
      const field = line.slice(at, comma < 0 ? undefined : comma)
      if (field.includes('"'))
        throw valueError(
          `parse error on line 1, column ${at + field.indexOf('"') + 1}: bare " in non-quoted-field`,
        )
      fields.push(field)
      at = comma < 0 ? line.length : comma
    }
    if (at >= line.length) return fields
    at += 1
    if (at === line.length) return [...fields, '']
  }
}

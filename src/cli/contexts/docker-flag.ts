import { csvFields } from '../create/csv.ts'
import type { Flag } from '../flags.ts'
import { cut } from '../flags.ts'
import { valueError } from '../errors.ts'

/** `--docker host=…,ca=…`: settings of the endpoint. */
export const dockerFlag: Flag<Readonly<Record<string, string>>> = {
  type: 'stringToString',
  help: 'The engine: host=, ca=, cert=, key= (files), skip-tls-verify=, or from= another context',
  initial: {},
  isSwitch: false,
  accept(text, previous) {
    const pairs = csvFields(text).map((field) => {
      const [key, value] = cut(field, '=')
      if (value === undefined) throw valueError(`${field} must be formatted as key=value`)
      return [key.trim(), value] as const
    })
    return { ...previous, ...Object.fromEntries(pairs) }
  },
}

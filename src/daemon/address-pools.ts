import { EngineError } from '#base/errors.ts'
import { parseCidr } from '#network/address.ts'
import type { PoolBase } from '#network/subnets.ts'

/** dockerd's `--default-address-pool base=CIDR,size=N`; none: undefined. */
export function poolFlags(texts: readonly string[]): readonly PoolBase[] | undefined {
  if (texts.length === 0) return undefined
  return texts.map((text) => {
    const fields = new Map(text.split(',').map((field) => cut(field)))
    for (const key of fields.keys())
      if (key !== 'base' && key !== 'size') throw invalid(text, `unknown field ${key}`)
    return pool(text, fields.get('base'), Number(fields.get('size')))
  })
}

/** `default-address-pools` of the configuration file: `[{"base": "10.0.0.0/8", "size": 24}]`. */
export function poolList(value: unknown): readonly PoolBase[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw invalid(JSON.stringify(value), 'want a list of objects with base and size')
  return value.map((one: unknown) => {
    const { base, size } = (one ?? {}) as { readonly base?: unknown; readonly size?: unknown }
    return pool(JSON.stringify(one), base, Number(size))
  })
}

function pool(text: string, base: unknown, size: number): PoolBase {
  if (typeof base !== 'string' || !base.includes('/'))
    throw invalid(text, 'base must be a range such as 10.0.0.0/8')
  const cidr = rangeOf(text, base)
  const most = cidr.family === 4 ? 30 : 126
  if (!Number.isInteger(size) || size < cidr.prefix || size > most) {
    throw invalid(text, `size must be a prefix length from ${cidr.prefix} to ${most}`)
  }
  return { base, size }
}

function rangeOf(text: string, base: string): ReturnType<typeof parseCidr> {
  try {
    return parseCidr(base)
  } catch (error) {
    throw invalid(text, `${base} is no range`, error)
  }
}

function cut(field: string): [string, string] {
  const [key = '', value = ''] = field.split('=', 2)
  return [key.trim(), value.trim()]
}

function invalid(text: string, reason: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', `invalid default address pool ${text}: ${reason}`, {
    code: 'CONFIG_INVALID',
    cause,
  })
}

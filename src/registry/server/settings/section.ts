import { EngineError } from '#base/errors.ts'
import { parseDuration, parseSize } from './units.ts'
import { invalidSetting } from './errors.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * One object of the configuration file, read key by key. Whatever is not of the kind asked for is `invalid_argument`,
 * and so is a key that nobody asked for; both name the key with its path.
 */
export class Section {
  readonly #fields: Fields
  readonly #at: string
  readonly #asked = new Set<string>()

  /** `at` is the path of the object, such as `webhooks[0]`. */
  constructor(value: unknown, at: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wanted(at, 'an object')
    this.#fields = value as Fields
    this.#at = at
  }

  text(key: string): string | undefined {
    return this.#read(key, 'a non-empty string', (value) =>
      typeof value === 'string' && value !== '' ? value : undefined,
    )
  }

  requiredText(key: string): string {
    return this.text(key) ?? this.#missing(key)
  }

  flag(key: string): boolean | undefined {
    return this.#read(key, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined))
  }

  count(key: string): number | undefined {
    return this.#read(key, 'a whole number', (value) =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined,
    )
  }

  /** Milliseconds. */
  duration(key: string): number | undefined {
    return this.#read(key, 'a duration such as "90s", "12h" or "7d"', parseDuration)
  }

  /** Bytes. */
  size(key: string): number | undefined {
    return this.#read(key, 'a size such as 1048576, "500MB" or "10GiB"', parseSize)
  }

  requiredSize(key: string): number {
    return this.size(key) ?? this.#missing(key)
  }

  texts(key: string): readonly string[] | undefined {
    return this.#read(key, 'a list of strings', (value) =>
      Array.isArray(value) && value.every((entry) => typeof entry === 'string') ? value : undefined,
    )
  }

  url(key: string): URL {
    const value = this.#read(key, 'an http or https URL', (text) => {
      const url = typeof text === 'string' ? URL.parse(text) : null
      return url !== null && /^https?:$/.test(url.protocol) ? url : undefined
    })
    if (value === undefined) return this.#missing(key)
    if (value.username === '' && value.password === '') return value
    throw invalidSetting(`${this.#at}.${key}: credentials have keys of their own, not a place in the URL`)
  }

  section(key: string): Section | undefined {
    this.#asked.add(key)
    const value = this.#fields[key]
    return value === undefined ? undefined : new Section(value, `${this.#at}.${key}`)
  }

  list<T>(key: string, read: (section: Section) => T): readonly T[] | undefined {
    this.#asked.add(key)
    const value = this.#fields[key]
    return value === undefined ? undefined : readList(value, `${this.#at}.${key}`, read)
  }

  /** The end of reading: refuses keys that nobody has asked for. */
  end(): void {
    const unknown = Object.keys(this.#fields).find((key) => !this.#asked.has(key))
    if (unknown !== undefined) throw invalidSetting(`${this.#at}.${unknown} is not a setting`)
  }

  #read<T>(key: string, want: string, read: (value: unknown) => T | undefined): T | undefined {
    this.#asked.add(key)
    const value = this.#fields[key]
    if (value === undefined) return undefined
    const result = read(value)
    if (result === undefined) throw wanted(`${this.#at}.${key}`, want)
    return result
  }

  #missing(key: string): never {
    throw invalidSetting(`${this.#at}.${key} is missing`)
  }
}

/** A list of objects, each read by `read` to its last key. */
export function readList<T>(value: unknown, at: string, read: (section: Section) => T): readonly T[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw wanted(at, 'a list')
  return value.map((entry, index) => {
    const section = new Section(entry, `${at}[${index}]`)
    const result = read(section)
    section.end()
    return result
  })
}

function wanted(at: string, want: string): EngineError {
  return invalidSetting(`${at}: want ${want}`)
}

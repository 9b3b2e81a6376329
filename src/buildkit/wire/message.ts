/**
 * Protocol Buffers (proto3) messages as values: a table of fields says how a message is written, and its type follows from the
 * table. What a table does not name is skipped when it is read, so a newer client's fields do no harm.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { EngineError } from '#base/errors.ts'

/** How one value is written. */
interface Codec<Value> {
  readonly wireType: WireType
  /** What is not written. */
  readonly absent: Value
  isAbsent(value: Value): boolean
  read(reader: BinaryReader, depth: number): Value
  write(writer: BinaryWriter, value: Value): void
}

/** One field of a message. */
interface Field<Value> {
  readonly number: number
  readonly wireType: WireType
  initial(): Value
  /** The value with what comes next in the reader. */
  read(reader: BinaryReader, before: Value, depth: number): Value
  write(writer: BinaryWriter, value: Value): void
}

export interface Message<Value> {
  /** @throws EngineError invalid_argument for what is no such message */
  decode(bytes: Uint8Array): Value
  /** Fields that are left out have their default. */
  encode(value: Partial<Value>): Uint8Array
  readonly codec: Codec<Value | undefined>
}

export type Of<M> = M extends Message<infer Value> ? Value : never

// oxlint-disable-next-line typescript/no-explicit-any -- a table has fields of all types
type Table = Readonly<Record<string, Field<any>>>
type Values<T extends Table> = { readonly [Name in keyof T]: T[Name] extends Field<infer V> ? V : never }

/** Messages in messages: far more than any of ours has. */
const DEEPEST = 32

export function message<T extends Table>(fields: T): Message<Values<T>> {
  type Value = Values<T>
  const byNumber = new Map(Object.entries(fields).map(([name, field]) => [field.number, { name, field }]))
  const read = (reader: BinaryReader, depth: number): Value => {
    if (depth > DEEPEST) throw new RangeError('messages are nested too deeply')
    const value: Record<string, unknown> = {}
    for (const [name, field] of Object.entries(fields)) value[name] = field.initial()
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag()
      const known = byNumber.get(number)
      if (known === undefined || known.field.wireType !== wireType) reader.skip(wireType, number)
      else value[known.name] = known.field.read(reader, value[known.name], depth)
    }
    return value as Value
  }
  const write = (writer: BinaryWriter, value: Partial<Value>): void => {
    for (const [name, field] of Object.entries(fields)) {
      const own: unknown = value[name as keyof Value]
      if (own !== undefined) field.write(writer, own)
    }
  }
  return {
    decode: (bytes) => decoding(() => read(new BinaryReader(bytes), 0)),
    encode(value) {
      const writer = new BinaryWriter()
      write(writer, value)
      return writer.finish()
    },
    codec: {
      wireType: WireType.LengthDelimited,
      absent: undefined,
      isAbsent: (value) => value === undefined,
      read: (reader, depth) => read(new BinaryReader(reader.bytes()), depth + 1),
      write(writer, value) {
        writer.fork()
        if (value !== undefined) write(writer, value)
        writer.join()
      },
    },
  }
}

/** Text that is not UTF-8, lengths beyond the end and the like are the sender's fault. */
function decoding<Value>(decode: () => Value): Value {
  try {
    return decode()
  } catch (error) {
    throw new EngineError('invalid_argument', "malformed message of BuildKit's protocol", {
      code: 'GRPC_MESSAGE_MALFORMED',
      cause: error,
    })
  }
}

/** A single value; a message that is not there is undefined. */
export function field<Value>(number: number, codec: Codec<Value>): Field<Value> {
  return {
    number,
    wireType: codec.wireType,
    initial: () => codec.absent,
    read: (reader, _, depth) => codec.read(reader, depth),
    write(writer, value) {
      if (!codec.isAbsent(value)) codec.write(writer.tag(number, codec.wireType), value)
    },
  }
}

export function repeated<Value>(number: number, codec: Codec<Value>): Field<readonly NonNullable<Value>[]> {
  type Item = NonNullable<Value>
  return {
    number,
    wireType: codec.wireType,
    initial: () => [],
    read(reader, before, depth) {
      // Its own list, made by initial(): a list is read in one go.
      ;(before as Item[]).push(codec.read(reader, depth) as Item)
      return before
    },
    write(writer, values) {
      for (const value of values) codec.write(writer.tag(number, codec.wireType), value)
    },
  }
}

/** A map from strings. */
export function map<Value>(
  number: number,
  codec: Codec<Value>,
): Field<ReadonlyMap<string, NonNullable<Value>>> {
  const entry = message({ key: field(1, string), value: field(2, codec) }).codec
  return {
    number,
    wireType: WireType.LengthDelimited,
    initial: () => new Map(),
    read(reader, before, depth) {
      const { key = '', value } = entry.read(reader, depth) ?? {}
      if (value !== undefined && value !== null) (before as Map<string, NonNullable<Value>>).set(key, value)
      return before
    },
    write(writer, values) {
      for (const [key, value] of values) {
        entry.write(writer.tag(number, WireType.LengthDelimited), { key, value })
      }
    },
  }
}

export const string: Codec<string> = {
  wireType: WireType.LengthDelimited,
  absent: '',
  isAbsent: (value) => value === '',
  read: (reader) => reader.string(true),
  write: (writer, value) => void writer.string(value),
}

export const bytes: Codec<Uint8Array> = {
  wireType: WireType.LengthDelimited,
  absent: new Uint8Array(),
  isAbsent: ({ length }) => length === 0,
  read: (reader) => reader.bytes(),
  write: (writer, value) => void writer.bytes(value),
}

export const bool: Codec<boolean> = {
  wireType: WireType.Varint,
  absent: false,
  isAbsent: (value) => !value,
  read: (reader) => reader.bool(),
  write: (writer, value) => void writer.bool(value),
}

export const int32: Codec<number> = {
  wireType: WireType.Varint,
  absent: 0,
  isAbsent: (value) => value === 0,
  read: (reader) => reader.int32(),
  write: (writer, value) => void writer.int32(value),
}

export const uint32: Codec<number> = {
  ...int32,
  read: (reader) => reader.uint32(),
  write: (writer, value) => void writer.uint32(value),
}

export const int64: Codec<bigint> = {
  wireType: WireType.Varint,
  absent: 0n,
  isAbsent: (value) => value === 0n,
  read: (reader) => BigInt(reader.int64()),
  write: (writer, value) => void writer.int64(value),
}

import {
  type Alias,
  type Document,
  type Pair,
  type YAMLError,
  type YAMLMap,
  type YAMLSeq,
  type Scalar as YamlScalar,
  LineCounter,
  isAlias,
  isScalar,
  isSeq,
  parseAllDocuments,
} from 'yaml'
import { composeError, problemAt } from './errors.ts'
import { type Instruction, type Mapping, type Node, type Place, type ScalarValue, scalar } from './node.ts'
import { plainScalar } from './plain-scalar.ts'

/** Nodes that a file may come to once its aliases are followed: more is an attack, or an accident. */
const MOST_NODES = 200_000

const TAG = 'tag:yaml.org,2002:'

/**
 * Reads the documents of a YAML file, aliases followed and `<<` merged. A file without content is one empty document.
 * Everything that is not YAML, and every key given twice, is said with its place.
 */
export function parseDocuments(text: string, file: string): readonly Node[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, {
    schema: 'failsafe',
    lineCounter: lines,
    logLevel: 'silent',
    merge: false,
  })
  if (!Array.isArray(documents)) return [scalar(null, { file, line: 1, column: 1 })]
  const problems = documents.flatMap(({ errors }) => errors.map((error) => problemOf(error, file)))
  if (problems.length > 0) throw composeError(problems)
  return documents.map((document) => new DocumentReader(document, file, lines).read())
}

function problemOf({ code, message, linePos }: YAMLError, file: string): { place: Place; message: string } {
  const [start = { line: 0, col: 0 }] = linePos ?? []
  const [first = ''] = message.split('\n')
  const text = first.replace(/ at line \d+, column \d+:?$/, '')
  return {
    place: { file, line: start.line, column: start.col },
    message: code === 'DUPLICATE_KEY' ? 'this key stands here twice' : `not valid YAML: ${text}`,
  }
}

type YamlNode = YamlScalar | YAMLMap | YAMLSeq | Alias

class DocumentReader {
  readonly #document: Document.Parsed
  readonly #file: string
  readonly #lines: LineCounter
  readonly #following = new Set<YamlNode>()
  #read = 0

  constructor(document: Document.Parsed, file: string, lines: LineCounter) {
    this.#document = document
    this.#file = file
    this.#lines = lines
  }

  read(): Node {
    return this.#node(this.#document.contents, { file: this.#file, line: 1, column: 1 })
  }

  #node(node: YamlNode | null, fallback: Place): Node {
    if (node === null) return scalar(null, fallback)
    const place = this.#place(node, fallback)
    this.#read += 1
    if (this.#read > MOST_NODES) throw problemAt(place, `aliases make this more than ${MOST_NODES} values`)
    if (isAlias(node)) return this.#alias(node, place)
    const instruction = instructionOf(node.tag)
    if (isScalar(node)) return { kind: 'scalar', value: scalarValue(node, place), place, instruction }
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#node(item as YamlNode | null, place))
      return { kind: 'sequence', items, place, instruction }
    }
    return { ...this.#mapping(node, place), instruction }
  }

  #alias(alias: Alias, place: Place): Node {
    const target = alias.resolve(this.#document) as YamlNode | undefined
    if (target === undefined) throw problemAt(place, `there is no anchor &${alias.source} before this`)
    if (this.#following.has(target)) throw problemAt(place, `the anchor &${alias.source} contains itself`)
    this.#following.add(target)
    const node = this.#node(target, place)
    this.#following.delete(target)
    return node
  }

  #mapping(map: YAMLMap, place: Place): Mapping {
    const entries = new Map<string, Node>()
    const keys = new Map<string, Place>()
    const merged: Node[] = []
    for (const pair of map.items as Pair<YamlNode | null, YamlNode | null>[]) {
      const at = pair.key === null ? place : this.#place(pair.key, place)
      const key = this.#key(pair.key, at)
      const value = this.#node(pair.value, at)
      if (key === '<<') merged.push(...mergeSources(value))
      else {
        entries.set(key, value)
        keys.set(key, at)
      }
    }
    for (const source of merged) addMissing(source, entries, keys)
    return { kind: 'mapping', entries, keys, place }
  }

  #key(key: YamlNode | null, place: Place): string {
    if (key !== null && isScalar(key)) return textOfScalar(key)
    throw problemAt(place, 'a key has to be text')
  }

  #place(node: YamlNode, fallback: Place): Place {
    if (!node.range) return fallback
    const { line, col } = this.#lines.linePos(node.range[0])
    return { file: this.#file, line, column: col }
  }
}

/** What `<<` names: a mapping, or several of which the earlier win. */
function mergeSources(value: Node): readonly Node[] {
  const sources = value.kind === 'sequence' ? value.items : [value]
  for (const source of sources) {
    if (source.kind !== 'mapping') throw problemAt(source.place, '<< takes mappings, such as << : *anchor')
  }
  return sources
}

function addMissing(source: Node, entries: Map<string, Node>, keys: Map<string, Place>): void {
  if (source.kind !== 'mapping') return
  for (const [key, value] of source.entries) {
    if (entries.has(key)) continue
    entries.set(key, value)
    keys.set(key, source.keys.get(key) ?? value.place)
  }
}

function instructionOf(tag: string | undefined): Instruction | undefined {
  return tag === '!reset' ? 'reset' : tag === '!override' ? 'override' : undefined
}

function scalarValue(node: YamlScalar, place: Place): ScalarValue {
  const text = textOfScalar(node)
  switch (node.tag) {
    case `${TAG}str`:
      return text
    case `${TAG}int`:
    case `${TAG}float`:
    case `${TAG}bool`:
    case `${TAG}null`:
      return plainScalar(text)
    case undefined:
    case '!reset':
    case '!override':
      return node.type === 'PLAIN' ? plainScalar(text) : text
    default:
      throw problemAt(place, `the tag ${node.tag} means nothing here; there are !reset and !override`)
  }
}

/** The schema leaves every scalar as text. */
function textOfScalar({ value }: YamlScalar): string {
  return typeof value === 'string' ? value : ''
}

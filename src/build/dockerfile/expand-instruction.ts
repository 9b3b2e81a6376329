import { checkValues } from './check-values.ts'
import { type Expansion, expandWord, type Lookup } from './expansion.ts'
import { locating } from './failure.ts'
import type { Document, Instruction, Pair, Run } from './instruction.ts'
import type { Dockerfile } from './parse.ts'
import { type Mount, parseMount } from './run-mount.ts'

/** Names an instruction referred to. */
export interface References {
  readonly used: Set<string>
  readonly missing: Set<string>
}

/**
 * The instruction with variables put in and quotes taken off, where its kind has that: ADD, COPY, ENV, EXPOSE, LABEL,
 * STOPSIGNAL, USER, VOLUME, WORKDIR. Commands are left to the shell, FROM to `resolveStages`, ARG to
 * `StageScope.declare`, ONBUILD to the build it is for. All words see the variables from before the instruction.
 * Ports, signals, modes and checksums are then what they have to be.
 */
export function expandInstruction<T extends Instruction>(
  file: Pick<Dockerfile, 'source' | 'escape'>,
  instruction: T,
  lookup: Lookup,
  references: References = { used: new Set(), missing: new Set() },
): T {
  return locating(file.source, instruction.range, () => {
    const expander = new Expander(file.escape, lookup, references)
    const expanded = expander.instruction(instruction)
    checkValues(expanded)
    return expanded as T
  })
}

/** The mounts of a RUN with their variables put in. */
export function expandMounts(
  file: Pick<Dockerfile, 'source' | 'escape'>,
  run: Run,
  lookup: Lookup,
  references: References = { used: new Set(), missing: new Set() },
): readonly Mount[] {
  return locating(file.source, run.range, () => {
    const expander = new Expander(file.escape, lookup, references)
    return run.mounts.map((mount) => parseMount(mount, (value) => expander.word(value)))
  })
}

class Expander {
  readonly #escape: '\\' | '`'
  readonly #lookup: Lookup
  readonly #references: References

  constructor(escape: '\\' | '`', lookup: Lookup, references: References) {
    this.#escape = escape
    this.#lookup = lookup
    this.#references = references
  }

  instruction(instruction: Instruction): Instruction {
    switch (instruction.kind) {
      case 'env':
      case 'label':
        return { ...instruction, pairs: instruction.pairs.map((pair) => this.#pair(pair)) }
      case 'expose':
        return { ...instruction, ports: instruction.ports.flatMap((port) => this.#words(port)) }
      case 'volume':
        return { ...instruction, paths: instruction.paths.map((path) => this.word(path)) }
      case 'user':
      case 'workdir':
      case 'stopsignal':
        return { ...instruction, value: this.word(instruction.value) }
      case 'copy':
        return { ...instruction, ...this.#transfer(instruction) }
      case 'add':
        return {
          ...instruction,
          ...this.#transfer(instruction),
          checksum: this.#optional(instruction.checksum),
        }
      default:
        return instruction
    }
  }

  word(text: string): string {
    return this.#seen(expandWord(text, this.#lookup, { escape: this.#escape })).text
  }

  #transfer(files: Extract<Instruction, { kind: 'copy' | 'add' }>) {
    return {
      sources: files.sources.map((source) => this.word(source)),
      documents: files.documents.map((document) => this.#document(document)),
      destination: this.word(files.destination),
      chown: this.#optional(files.chown),
      chmod: this.#optional(files.chmod),
      exclude: files.exclude.map((pattern) => this.word(pattern)),
    }
  }

  /** In a heredoc quotes are text and a backslash is the escape, whatever the file's is. */
  #document(document: Document): Document {
    if (!document.expand) return document
    const options = { escape: '\\', quotesAreText: true } as const
    return { ...document, content: this.#seen(expandWord(document.content, this.#lookup, options)).text }
  }

  #pair({ key, value }: Pair): Pair {
    return { key: this.word(key), value: this.word(value) }
  }

  #optional(text: string | undefined): string | undefined {
    return text === undefined ? undefined : this.word(text)
  }

  #words(text: string): readonly string[] {
    return this.#seen(expandWord(text, this.#lookup, { escape: this.#escape })).words
  }

  #seen(expansion: Expansion): Expansion {
    for (const name of expansion.used) this.#references.used.add(name)
    for (const name of expansion.missing) this.#references.missing.add(name)
    return expansion
  }
}

import { hash } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '#base/errors.ts'
import type { ClientConfig } from '../client-config.ts'
import { commandError } from '../errors.ts'

/** `meta.json` of a context, as Docker's command line writes and reads it. */
export interface ContextDocument {
  readonly Name: string
  readonly Metadata: Readonly<Record<string, unknown>> & { readonly Description?: string }
  readonly Endpoints: {
    readonly docker?: { readonly Host?: string; readonly SkipTLSVerify?: boolean }
  }
}

export const tlsFiles = ['ca.pem', 'cert.pem', 'key.pem'] as const
/** PEM texts by file name. */
export type TlsTexts = Partial<Record<(typeof tlsFiles)[number], string>>

export interface StoredContext {
  readonly document: ContextDocument
  readonly tls: TlsTexts
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/

/** Refuses names that a new context cannot have. */
export function checkContextName(name: string): void {
  if (name === '') throw commandError('context name cannot be empty')
  if (name === 'default') throw commandError('"default" is a reserved context name')
  if (!NAME.test(name)) {
    throw commandError(
      `context name "${name}" is invalid, names are validated against regexp "${NAME.source}"`,
    )
  }
}

/** The contexts in a configuration directory: one directory each, named by the digest of the context's name. */
export class ContextStore {
  readonly #config: ClientConfig

  constructor(config: ClientConfig) {
    this.#config = config
  }

  /** In the order of their names. */
  async all(): Promise<ContextDocument[]> {
    const documents = (await this.#directories()).flatMap((id) => {
      const document = this.#read(id)
      return document === undefined ? [] : [document]
    })
    return documents.sort((a, b) => a.Name.localeCompare(b.Name, 'en', { numeric: true }))
  }

  find(name: string): StoredContext | undefined {
    const id = idOf(name)
    const document = this.#read(id)
    if (document === undefined) return undefined
    const tls = tlsFiles.flatMap((file) => {
      const text = this.#config.readText('contexts', 'tls', id, 'docker', file)
      return text === undefined ? [] : [[file, text] as const]
    })
    return { document, tls: Object.fromEntries(tls) }
  }

  /** As `find`, with Docker's words when there is none. */
  read(name: string): StoredContext {
    const found = this.find(name)
    if (found !== undefined) return found
    const file = join(this.paths(name).meta, 'meta.json')
    throw commandError(`context "${name}": context not found: open ${file}: no such file or directory`)
  }

  /** Where the parts of a context are. */
  paths(name: string): { readonly meta: string; readonly tls: string } {
    const at = (part: string): string => join(this.#config.directory, 'contexts', part, idOf(name))
    return { meta: at('meta'), tls: at('tls') }
  }

  /** Replaces a context of that name. */
  async write({ document, tls }: StoredContext): Promise<void> {
    const paths = this.paths(document.Name)
    await mkdir(paths.meta, { recursive: true })
    await writeFile(join(paths.meta, 'meta.json'), JSON.stringify(document))
    await rm(paths.tls, { recursive: true, force: true })
    const texts = Object.entries(tls)
    if (texts.length === 0) return
    const directory = join(paths.tls, 'docker')
    await mkdir(directory, { recursive: true, mode: 0o700 })
    for (const [file, text] of texts) await writeFile(join(directory, file), text, { mode: 0o600 })
  }

  async remove(name: string): Promise<void> {
    const { meta, tls } = this.paths(name)
    await rm(meta, { recursive: true, force: true })
    await rm(tls, { recursive: true, force: true })
  }

  async #directories(): Promise<string[]> {
    try {
      return await readdir(join(this.#config.directory, 'contexts', 'meta'))
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return []
      throw error
    }
  }

  #read(id: string): ContextDocument | undefined {
    const found = this.#config.readJson('contexts', 'meta', id, 'meta.json')
    if (found === undefined) return undefined
    const { Name, Metadata, Endpoints } = found as Partial<ContextDocument>
    return { Name: Name ?? '', Metadata: Metadata ?? {}, Endpoints: Endpoints ?? {} }
  }
}

function idOf(name: string): string {
  return hash('sha256', name)
}

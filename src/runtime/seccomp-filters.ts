import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '#base/errors.ts'
import type { RuntimeSpec } from './oci-runtime-spec.ts'

/** Understood by crun since 1.3: a compiled filter, base64, in place of a profile. */
const ANNOTATION = 'run.oci.seccomp_bpf_data'

export interface PreparedSpec {
  readonly spec: RuntimeSpec
  /** For the shim: where to leave the compiled filter; undefined when there is one already, or none to expect. */
  readonly filter: string | undefined
}

/**
 * Compiled seccomp filters of crun, kept under the exec root. Compiling the default profile takes crun longer than
 * everything else it does for a start; with the filter at hand it is not done again. A filter belongs to exactly one
 * profile and one version of the runtime.
 */
export class SeccompFilters {
  readonly #directory: string
  readonly #runtime: { readonly name: string; readonly version: string }
  readonly #known = new Map<string, string>()

  constructor(directory: string, runtime: { readonly name: string; readonly version: string }) {
    this.#directory = directory
    this.#runtime = runtime
  }

  /** The spec to start with. Other runtimes than crun get it as it is. */
  async prepare(spec: RuntimeSpec): Promise<PreparedSpec> {
    const { seccomp, ...linux } = spec.linux
    if (this.#runtime.name !== 'crun' || seccomp === undefined) return { spec, filter: undefined }
    const file = join(this.#directory, this.#key(JSON.stringify(seccomp)))
    const compiled = await this.#compiled(file)
    if (compiled === undefined) return { spec, filter: file }
    const annotations = { ...spec.annotations, [ANNOTATION]: compiled }
    return { spec: { ...spec, annotations, linux }, filter: undefined }
  }

  #key(profile: string): string {
    const { name, version } = this.#runtime
    return createHash('sha256').update(`${name} ${version} ${process.arch} ${profile}`).digest('hex')
  }

  async #compiled(file: string): Promise<string | undefined> {
    const known = this.#known.get(file)
    if (known !== undefined) return known
    try {
      const filter = (await readFile(file)).toString('base64')
      this.#known.set(file, filter)
      return filter
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
      await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      return undefined
    }
  }
}

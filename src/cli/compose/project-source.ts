import { join, resolve } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import { parseDotenv } from '#compose/environment/dotenv.ts'
import { shellVariables } from '#compose/load/environment.ts'
import { type Files, diskFiles } from '#compose/load/files.ts'
import {
  type LoadOptions,
  loadProject,
  selectServices,
  withFilesRead,
  withoutUnused,
} from '#compose/load/project.ts'
import type { Project } from '#compose/model/project.ts'
import { checkProjectName } from '#compose/model/project-name.ts'
import { isKind } from '#base/errors.ts'
import type { Io } from '../io.ts'
import type { ComposeFlags } from './flags.ts'

type Choices = Partial<Pick<LoadOptions, 'interpolates' | 'resolvesPaths' | 'normalizes' | 'checks'>>

/** The project that the flags, the variables COMPOSE_* and the directory name. */
export class ProjectSource {
  readonly #flags: ComposeFlags
  readonly #io: Io
  readonly #shell: Map<string, string>

  constructor(flags: ComposeFlags, io: Io) {
    this.#flags = flags
    this.#io = io
    this.#shell = shellVariables(io.env)
    this.#takeConfiguration()
  }

  get shell(): ReadonlyMap<string, string> {
    return this.#shell
  }

  async files(): Promise<Files> {
    return diskFiles(this.#paths().includes('-') ? await readAll(this.#io.stdin) : undefined)
  }

  /** As the files have it, all services; what `config` begins with. */
  async read(choices: Choices = {}): Promise<Project> {
    return loadProject({ ...this.#options(await this.files()), ...choices })
  }

  /** Ready to be made: the named services and what they need, or all; with what their files of variables say. */
  async load(
    names: readonly string[] = [],
    options: { readonly dependencies: boolean } = { dependencies: true },
  ): Promise<Project> {
    const files = await this.files()
    const selected = selectServices(loadProject(this.#options(files)), names, options)
    const complete = withFilesRead(selected, files)
    return this.#flags['all-resources'] ? complete : withoutUnused(complete)
  }

  /** The name alone; a project can be looked after without its files. Undefined project: there are none. */
  async name(): Promise<{ readonly name: string; readonly project: Project | undefined }> {
    const chosen = this.#flags['project-name'] || this.#shell.get('COMPOSE_PROJECT_NAME')
    if (chosen && this.#flags.file.length === 0) {
      return { name: checkProjectName(chosen), project: await this.#tryRead() }
    }
    const project = await this.read()
    return { name: project.name, project }
  }

  /** The project, if there are files that can be read; somebody who named it does not need them. */
  async #tryRead(): Promise<Project | undefined> {
    try {
      return await this.read()
    } catch (error) {
      if (isKind(error, 'invalid_argument')) return undefined
      throw error
    }
  }

  #options(files: Files): LoadOptions {
    const { io, flags } = { io: this.#io, flags: this.#flags }
    const envFiles =
      flags['env-file'].length > 0 ? flags['env-file'] : split(this.#shell.get('COMPOSE_ENV_FILES'), ',')
    return {
      cwd: io.cwd,
      home: io.env['HOME'] || io.home,
      shell: this.#shell,
      files,
      paths: this.#paths(),
      directory: flags['project-directory'] || undefined,
      name: flags['project-name'] || undefined,
      envFiles,
      profiles: flags.profile,
      warn: (message) => void io.stderr.write(`WARN: ${message}\n`),
    }
  }

  #paths(): readonly string[] {
    if (this.#flags.file.length > 0) return this.#flags.file
    return split(this.#shell.get('COMPOSE_FILE'), this.#shell.get('COMPOSE_PATH_SEPARATOR') ?? ':')
  }

  /** `.env` may say what the variables COMPOSE_* of the shell do not. */
  #takeConfiguration(): void {
    const file = join(resolve(this.#io.cwd, this.#flags['project-directory']), '.env')
    const text = diskFiles().read(file)
    if (text === undefined) return
    for (const [name, value] of parseDotenv(text, file, (each) => this.#shell.get(each))) {
      if (name.startsWith('COMPOSE_') && !this.#shell.has(name)) this.#shell.set(name, value)
    }
  }
}

function split(text: string | undefined, separator: string): readonly string[] {
  return (text ?? '').split(separator).filter((part) => part !== '')
}

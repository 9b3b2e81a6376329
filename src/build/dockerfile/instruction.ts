import type { Heredoc } from './heredoc.ts'
import type { Range } from './source.ts'

/** A word and where it is. */
export interface Word {
  readonly text: string
  readonly range: Range
}

/** `--name=value` or `--name`, not expanded. */
export interface Flag {
  readonly name: string
  readonly value: string | undefined
  readonly range: Range
}

/** What every instruction has. Values are not expanded: `expandInstruction` does that. */
export interface InstructionBase {
  /** As written: `RUN`, `run`. */
  readonly keyword: Word
  /** The whole line, continuations joined, without heredocs. */
  readonly text: string
  /** With heredocs. */
  readonly range: Range
  readonly flags: readonly Flag[]
  /** What follows the flags, as words of this instruction; one word for those that take text. */
  readonly args: readonly Word[]
  readonly comments: readonly string[]
  readonly emptyContinuations: readonly Range[]
}

/** A command to run: arguments as they are, or text for the shell of the stage. */
export type CommandLine =
  | { readonly form: 'exec'; readonly args: readonly string[] }
  | { readonly form: 'shell'; readonly text: string }

export interface Pair {
  readonly key: string
  readonly value: string
}

export interface From extends InstructionBase {
  readonly kind: 'from'
  readonly image: string
  readonly platform: string | undefined
  /** Lower case. */
  readonly name: string | undefined
}

export interface Run extends InstructionBase {
  readonly kind: 'run'
  readonly command: CommandLine
  readonly heredocs: readonly Heredoc[]
  /** Values of `--mount`; `parseMount` reads them. */
  readonly mounts: readonly string[]
  readonly network: 'default' | 'none' | 'host'
  readonly security: 'sandbox' | 'insecure'
  readonly devices: readonly Device[]
}

/** A CDI device: kind, `kind=name`, `kind=*` or a class. */
export interface Device {
  readonly name: string
  readonly required: boolean
}

/** A heredoc that COPY or ADD writes as a file. */
export interface Document {
  readonly name: string
  readonly content: string
  /** Variables in the content are expanded. */
  readonly expand: boolean
}

interface Transfer extends InstructionBase {
  /** JSON form allows blanks in names. */
  readonly form: 'exec' | 'shell'
  readonly sources: readonly string[]
  readonly documents: readonly Document[]
  readonly destination: string
  readonly chown: string | undefined
  readonly chmod: string | undefined
  readonly link: boolean
  readonly parents: boolean
  readonly exclude: readonly string[]
}

export interface Copy extends Transfer {
  readonly kind: 'copy'
  /** A stage's name or number, a named context or an image. */
  readonly from: string | undefined
}

export interface Add extends Transfer {
  readonly kind: 'add'
  readonly checksum: string | undefined
  /** Undefined: archives from the context are unpacked, downloaded ones not. */
  readonly unpack: boolean | undefined
  readonly keepGitDir: boolean
}

export interface Env extends InstructionBase {
  readonly kind: 'env'
  readonly pairs: readonly Pair[]
  /** `ENV key value`. */
  readonly legacy: boolean
}

export interface Label extends InstructionBase {
  readonly kind: 'label'
  readonly pairs: readonly Pair[]
  readonly legacy: boolean
}

export interface Arg extends InstructionBase {
  readonly kind: 'arg'
  readonly declarations: readonly Declaration[]
}

/** An argument of the build; without a default it takes the value of the global scope. */
export interface Declaration {
  readonly name: string
  readonly value: string | undefined
  /** From a comment `# name text` above. */
  readonly description: string | undefined
}

export interface CommandInstruction extends InstructionBase {
  readonly kind: 'cmd' | 'entrypoint'
  readonly command: CommandLine
}

export interface Shell extends InstructionBase {
  readonly kind: 'shell'
  readonly shell: readonly string[]
}

export interface Expose extends InstructionBase {
  readonly kind: 'expose'
  /** `port[-port][/protocol]`; `parsePorts` reads them after expansion. */
  readonly ports: readonly string[]
}

export interface Volume extends InstructionBase {
  readonly kind: 'volume'
  readonly form: 'exec' | 'shell'
  readonly paths: readonly string[]
}

export interface TextInstruction extends InstructionBase {
  readonly kind: 'user' | 'workdir' | 'stopsignal' | 'maintainer'
  readonly value: string
}

export interface Healthcheck extends InstructionBase {
  readonly kind: 'healthcheck'
  readonly check: HealthcheckConfig
}

/** Undefined is what the flag does not say; times in nanoseconds, 0 is the engine's default. */
export type HealthcheckConfig =
  | { readonly type: 'none' }
  | {
      readonly type: 'command'
      readonly command: CommandLine
      readonly interval: number
      readonly timeout: number
      readonly startPeriod: number
      readonly startInterval: number
      readonly retries: number
    }

export interface Onbuild extends InstructionBase {
  readonly kind: 'onbuild'
  /** As the image's configuration keeps it, heredocs included. */
  readonly expression: string
  readonly trigger: Exclude<Instruction, From | Onbuild>
}

export type Instruction =
  | From
  | Run
  | Copy
  | Add
  | Env
  | Label
  | Arg
  | CommandInstruction
  | Shell
  | Expose
  | Volume
  | TextInstruction
  | Healthcheck
  | Onbuild

/** What the solver needs from outside: each is one adapter with a fake. */
import type { Digest } from '#base/digest.ts'
import type { CopyStep, DirectoryStep, FileOrigin, RunMount, RunStep } from '../graph/operations.ts'
import type { FileSource } from '../sources/file-source.ts'

/** A step ready to be done: what it stands on is there. */
export interface Ready<S> {
  readonly step: S
  /** The layers of `step.on`, bottom first. */
  readonly layers: readonly Digest[]
  /** Opens what the step takes files from; the caller disposes it. */
  readonly open: (origin: FileOrigin) => Promise<FileSource>
  readonly signal: AbortSignal
}

/** The layer a step has made and stored; undefined when it changed nothing. */
export interface StepResult {
  readonly layer: Digest | undefined
}

export interface CopyResult extends StepResult {
  /** Of what is in the layer, as `inspect()` would say it of all sources. */
  readonly taken: Digest
}

/** RUN. */
export interface StepRunner {
  /**
   * Runs the process to its end. Fails with `invalid_argument` and code `BUILD_RUN_FAILED` when it exits with another
   * code than 0 (details: `exitCode`), `cancelled` when the signal is aborted. In every case nothing is left behind but the layer.
   */
  run(ready: Ready<RunStep>, io: RunOutput): Promise<StepResult>
}

export interface RunOutput {
  readonly onOutput: (stream: 1 | 2, data: Uint8Array) => void
  readonly secrets: Secrets
}

/** Secrets and ssh agents of one build. Their values are in no layer, key, log or history. */
export interface Secrets {
  /** Undefined when the client has no such secret. */
  secret(id: string): Promise<Uint8Array | undefined>
  /** Path of a socket on this host that leads to the agent; undefined when the client has no such agent. */
  agent(id: string): Promise<string | undefined>
}

/** COPY, ADD and WORKDIR. */
export interface FileSteps {
  /**
   * What a COPY would take, without writing: `digest` stands for names, types, modes, owners and contents of all that
   * is copied (no times), `files` says it for each, to explain a miss. Asked before the step's filesystem is there: `layers`
   * is empty, and an owner is always `0:0`, because both are keyed apart.
   */
  inspect(ready: Ready<CopyStep>): Promise<CopyInputs>
  copy(ready: Ready<CopyStep>, note: Note): Promise<CopyResult>
  directory(ready: Ready<DirectoryStep>, note: Note): Promise<StepResult>
}

/** Tells people a line about a step that goes on. */
export type Note = (line: string) => void

export interface CopyInputs {
  readonly digest: Digest
  /** In order of paths. */
  readonly files: readonly { readonly path: string; readonly digest: Digest }[]
}

/** What a RUN mounts is part of what it is: bind sources by content. */
export type BindMount = Extract<RunMount, { type: 'bind' }>

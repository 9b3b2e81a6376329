import { existsSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { messageOf } from '#base/errors.ts'
import { commandError } from '../errors.ts'
import { cut } from '../flags.ts'
import type { Io } from '../io.ts'
import { fieldsOf } from './typed.ts'

export interface Secret {
  readonly id: string
  readonly value: Buffer
}

/** `id=name[,src=path|env=variable]`: without a source, the variable of that name, or else the file. */
export function readSecret(text: string, { cwd, env }: Pick<Io, 'cwd' | 'env'>): Secret {
  const { type = '', id: given, src, source, env: variable } = fieldsOf(text)
  const file = src ?? source
  const id = given ?? ''
  if (id === '')
    throw commandError(`invalid secret ${JSON.stringify(text)}: id is missing, as in id=token,src=token.txt`)
  if (type !== '' && type !== 'file' && type !== 'env') {
    throw commandError(`invalid secret ${id}: unknown type ${JSON.stringify(type)}; want file or env`)
  }
  const name =
    variable ?? (type === 'env' ? (file ?? id) : undefined) ?? (file === undefined ? id : undefined)
  const value = name === undefined ? undefined : env[name]
  if (value !== undefined) return { id, value: Buffer.from(value) }
  if (variable !== undefined || type === 'env') {
    throw commandError(`secret ${id}: the environment has no variable ${name ?? ''}`)
  }
  return { id, value: readFile(id, resolve(cwd, file ?? id)) }
}

export interface Agent {
  readonly id: string
  /** Absolute path of its socket; undefined: one has to be started with these keys. */
  readonly socket: string | undefined
  readonly keys: readonly string[]
}

/** `default`, or `id[=socket|key[,key]]`: without a path, the agent of SSH_AUTH_SOCK. */
export function parseAgent(text: string, { cwd, env }: Pick<Io, 'cwd' | 'env'>): Agent {
  const [id, given] = cut(text, '=')
  const named = given ?? env['SSH_AUTH_SOCK'] ?? ''
  if (id === '') throw commandError(`invalid agent ${JSON.stringify(text)}: want default, or id=socket`)
  if (named === '') {
    throw commandError(
      `agent ${id}: SSH_AUTH_SOCK is not set; start an ssh-agent, or name a socket or a key with --ssh ${id}=PATH`,
    )
  }
  const paths = named.split(',').map((path) => resolve(cwd, path))
  for (const path of paths) {
    if (!existsSync(path)) throw commandError(`agent ${id}: there is no ${path}; name a socket or a key`)
  }
  const sockets = paths.filter((path) => statSync(path).isSocket())
  if (sockets.length > 0 && paths.length > 1) {
    throw commandError(`agent ${id}: either one socket or keys can be given`)
  }
  return { id, socket: sockets[0], keys: sockets.length > 0 ? [] : paths }
}

function readFile(id: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw commandError(`secret ${id}: cannot read ${path}: ${messageOf(error)}`, error)
  }
}

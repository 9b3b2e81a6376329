import { execFile } from 'node:child_process'
import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isErrno } from '#base/errors.ts'
import type { ClientConfig } from '../client-config.ts'
import type { Io } from '../io.ts'

/** A program that adds a command to Docker's command line, such as `docker-compose`. */
export interface Plugin {
  readonly name: string
  readonly path: string
}

/** What a plugin says of itself. */
export interface PluginFacts extends Plugin {
  readonly vendor: string
  readonly version: string
  readonly summary: string
}

/** Whose plugins: those of a configuration, and those of the machine. */
export interface Where {
  readonly config: ClientConfig
  readonly io: Pick<Io, 'systemPlugins' | 'env'>
}

const PREFIX = 'docker-'
const NAME = /^[a-z][a-z0-9]*$/
const PATIENCE_MS = 5000

/** Where plugins are looked for; the first of a name is taken. */
export function pluginDirectories({ config, io }: Where): string[] {
  return [
    join(config.directory, 'cli-plugins'),
    ...(config.file.cliPluginsExtraDirs ?? []),
    ...io.systemPlugins,
  ]
}

export function findPlugin(name: string, where: Where): Plugin | undefined {
  if (!NAME.test(name)) return undefined
  const paths = pluginDirectories(where).map((directory) => join(directory, `${PREFIX}${name}`))
  const path = paths.find(isProgram)
  return path === undefined ? undefined : { name, path }
}

/** All that are there, by name; nothing is run. */
export function installedPlugins(where: Where): Plugin[] {
  const names = pluginDirectories(where).flatMap((directory) =>
    namesIn(directory).flatMap((file) => (file.startsWith(PREFIX) ? [file.slice(PREFIX.length)] : [])),
  )
  return [...new Set(names)].sort().flatMap((name) => findPlugin(name, where) ?? [])
}

/** What the installed ones say of themselves; those that do not answer as a plugin does are left out. */
export async function describePlugins(where: Where): Promise<PluginFacts[]> {
  const facts = await Promise.all(installedPlugins(where).map((plugin) => describe(plugin, where.io.env)))
  return facts.filter((each) => each !== undefined)
}

async function describe(plugin: Plugin, env: Io['env']): Promise<PluginFacts | undefined> {
  try {
    const { stdout } = await promisify(execFile)(plugin.path, ['docker-cli-plugin-metadata'], {
      env: { ...env },
      timeout: PATIENCE_MS,
    })
    const { SchemaVersion, Vendor, Version, ShortDescription, Hidden } = JSON.parse(stdout) as Record<
      string,
      unknown
    >
    if (typeof SchemaVersion !== 'string' || !SchemaVersion.startsWith('0.1.') || Hidden === true) {
      return undefined
    }
    const text = (value: unknown): string => (typeof value === 'string' ? value : '')
    return { ...plugin, vendor: text(Vendor), version: text(Version), summary: text(ShortDescription) }
  } catch {
    // Whatever it is, it is no plugin; Docker passes over these, too.
    return undefined
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return []
    throw error
  }
}

function isProgram(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (error) {
    if (isErrno(error, 'EACCES')) return false
    throw error
  }
}

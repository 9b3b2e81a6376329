/**
 * What is served on a read-only address: enough for dashboards, proxies and exporters, which are otherwise handed the keys
 * to the machine. A list of what is allowed, so that an operation that is added later is not.
 */
import { EngineError } from '#base/errors.ts'
import type { Reply } from './reply.ts'
import type { Route } from './route.ts'

const allowed: ReadonlySet<string> = new Set([
  'SystemPing',
  'SystemPingHead',
  'SystemVersion',
  'SystemInfo',
  'SystemEvents',
  'SystemDataUsage',
  'Options',
  'ContainerList',
  'ContainerInspect',
  'ContainerTop',
  'ContainerLogs',
  'ContainerChanges',
  'ContainerStats',
  // It changes nothing, for all that it is a POST.
  'ContainerWait',
  'ExecInspect',
  'ImageList',
  'ImageInspect',
  'ImageHistory',
  'ImageAttestations',
  'NetworkList',
  'NetworkInspect',
  'VolumeList',
  'VolumeInspect',
  'PluginList',
  'BerthExposure',
  'BerthUnreachable',
  'BerthWhy',
])

/** @throws EngineError permission_denied */
export function checkReadOnly({ operation, method, path }: Route): void {
  if (allowed.has(operation)) return
  throw new EngineError(
    'permission_denied',
    `${method} ${path} is not served on a read-only address: it changes something, or hands out files`,
    { code: 'READ_ONLY_ADDRESS', details: { operation } },
  )
}

/** Variables are where passwords are: their names stay. */
export function withoutValues({ operation }: Route, reply: Reply): Reply {
  if (reply.kind !== 'json') return reply
  const { body } = reply
  if (operation === 'ExecInspect') return { ...reply, body: withoutArguments(body as Document) }
  if (operation !== 'ContainerInspect' && operation !== 'ImageInspect') return reply
  const { Config } = body as { readonly Config?: { readonly Env?: readonly string[] | null } | null }
  if (Config?.Env === undefined || Config.Env === null) return reply
  const Env = Config.Env.map((variable) => variable.replace(/=.*$/s, '=***'))
  return { ...reply, body: { ...(body as Document), Config: { ...Config, Env } } }
}

type Document = Readonly<Record<string, unknown>>

/** What is typed for one command is as often a password. */
function withoutArguments(body: Document): Document {
  const { ProcessConfig } = body
  if (typeof ProcessConfig !== 'object' || ProcessConfig === null) return body
  return { ...body, ProcessConfig: { ...ProcessConfig, arguments: [] } }
}

import { readFileSync } from 'node:fs'
import { messageOf } from '#base/errors.ts'
import { parseEndpoint } from '#client/endpoint.ts'
import { commandError } from '../errors.ts'
import { parseBool } from '../values.ts'
import { tlsFiles, type ContextDocument, type StoredContext, type TlsTexts } from './context-store.ts'

type Settings = Readonly<Record<string, string>>

const keys: readonly string[] = ['host', 'ca', 'cert', 'key', 'skip-tls-verify', 'from']

/** The `docker` endpoint that `--docker key=value,…` describes; `from` names a context to take it from. */
export function dockerEndpoint(
  settings: Settings,
  from: (name: string) => StoredContext,
): Pick<StoredContext, 'tls'> & { readonly endpoint: ContextDocument['Endpoints'] } {
  const refuse = (why: string): Error => commandError(`unable to create docker endpoint config: ${why}`)
  const unknown = Object.keys(settings).find((key) => !keys.includes(key))
  if (unknown !== undefined) throw refuse(`unrecognized config key: ${unknown}`)
  if (settings['from'] !== undefined) {
    const { document, tls } = from(settings['from'])
    return { endpoint: document.Endpoints, tls }
  }
  const host = settings['host'] ?? ''
  if (host !== '') parseEndpoint(host)
  const docker = { Host: host, SkipTLSVerify: skips(settings) }
  return { endpoint: { docker }, tls: readTls(settings, refuse) }
}

function skips(settings: Settings): boolean {
  const text = settings['skip-tls-verify']
  return text === undefined || text === '' ? false : parseBool(text)
}

function readTls(settings: Settings, refuse: (why: string) => Error): TlsTexts {
  const texts = tlsFiles.flatMap((name) => {
    const file = settings[name.slice(0, -'.pem'.length)]
    if (file === undefined || file === '') return []
    try {
      return [[name, readFileSync(file, 'utf8')] as const]
    } catch (error) {
      throw refuse(`cannot read ${file}: ${messageOf(error)}`)
    }
  })
  return Object.fromEntries(texts)
}

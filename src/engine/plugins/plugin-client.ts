import { readFile } from 'node:fs/promises'
import { request as plainRequest, type RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { EngineError, messageOf } from '#base/errors.ts'
import type { PluginAddress, PluginTls } from './plugin-address.ts'

/** Most bytes of an answer. */
const ANSWER_MOST = 16 * 1024 * 1024
const MEDIA_TYPE = 'application/vnd.docker.plugins.v1.2+json'

/**
 * One call of a plugin: a POST with a JSON document, answered by one. Rejects with `internal` when the plugin says that it
 * has failed, and with `unavailable` when it does not answer in time (milliseconds) or not sensibly.
 */
export async function callPlugin<Answer extends object>(
  plugin: { readonly name: string; readonly address: PluginAddress },
  method: string,
  body: object,
  { timeout, signal }: { readonly timeout: number; readonly signal?: AbortSignal | undefined },
): Promise<Answer> {
  const limit = AbortSignal.timeout(timeout)
  const ended = signal === undefined ? limit : AbortSignal.any([signal, limit])
  let answer: { readonly status: number; readonly text: string }
  try {
    answer = await post(plugin.address, `/${method}`, JSON.stringify(body), ended)
  } catch (error) {
    signal?.throwIfAborted()
    const why = limit.aborted ? `no answer within ${timeout / 1000} s` : messageOf(error)
    throw unreachable(plugin.name, method, why, error)
  }
  const document = parse(answer.text)
  const failure = document === undefined ? answer.text.trim().slice(0, 1000) : errorOf(document)
  if (answer.status === 404 && document === undefined)
    throw unreachable(plugin.name, method, 'it does not know that')
  if (answer.status !== 200 || failure !== '') {
    throw new EngineError('internal', `${method}: ${failure || `status ${answer.status}`}`, {
      code: 'PLUGIN_FAILED',
      details: { plugin: plugin.name, method },
    })
  }
  if (document === undefined) throw unreachable(plugin.name, method, 'its answer is not a JSON object')
  return document as Answer
}

async function post(
  address: PluginAddress,
  path: string,
  body: string,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  const headers = {
    Accept: MEDIA_TYPE,
    'Content-Type': MEDIA_TYPE,
    'Content-Length': Buffer.byteLength(body),
  }
  const common: RequestOptions = { method: 'POST', path, headers, signal, agent: false }
  const outgoing =
    'socketPath' in address
      ? plainRequest({ ...common, socketPath: address.socketPath })
      : address.tls === undefined
        ? plainRequest({ ...common, host: address.host, port: address.port })
        : tlsRequest({
            ...common,
            host: address.host,
            port: address.port,
            ...(await credentials(address.tls)),
          })
  outgoing.end(body)
  const [response] = (await once(outgoing, 'response', { signal })) as [IncomingMessage]
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > ANSWER_MOST) throw new RangeError(`the answer has more than ${ANSWER_MOST} bytes`)
    chunks.push(chunk)
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }
}

async function credentials({ InsecureSkipVerify, CAFile, CertFile, KeyFile }: PluginTls): Promise<object> {
  const read = (file: string | undefined) => (file ? readFile(file) : undefined)
  const [ca, cert, key] = await Promise.all([read(CAFile), read(CertFile), read(KeyFile)])
  return { ca, cert, key, rejectUnauthorized: InsecureSkipVerify !== true }
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text.trim() || '{}')
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined // said by the caller, with the text
  }
}

function errorOf(document: object): string {
  return 'Err' in document && typeof document.Err === 'string' ? document.Err : ''
}

function unreachable(name: string, method: string, why: string, cause?: unknown): EngineError {
  return new EngineError('unavailable', `plugin "${name}": ${method}: ${why}`, {
    code: 'PLUGIN_UNREACHABLE',
    details: { plugin: name, method },
    cause,
  })
}

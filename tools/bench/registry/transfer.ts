/** A plain client that sends and fetches one image: the same one for every registry that is measured. */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { BenchImage } from './image.ts'

const agent = new Agent({ keepAlive: true })

/** Blobs side by side, then the manifest. */
export async function sendImage(
  address: string,
  name: string,
  tag: string,
  image: BenchImage,
): Promise<void> {
  await Promise.all([image.config, ...image.layers].map((blob) => sendBlob(address, name, blob)))
  const put = start(address, 'PUT', `/v2/${name}/manifests/${tag}`, {
    'Content-Type': image.mediaType,
    'Content-Length': image.manifest.length,
  })
  put.end(image.manifest)
  await answer(put, 201)
}

/** Everything at once, as long as it takes to read it all; nothing is kept. */
export async function fetchImage(
  address: string,
  name: string,
  tag: string,
  image: BenchImage,
): Promise<void> {
  const paths = [
    `manifests/${tag}`,
    ...[image.config, ...image.layers].map(({ digest }) => `blobs/${digest}`),
  ]
  await Promise.all(
    paths.map(async (path) => {
      const get = start(address, 'GET', `/v2/${name}/${path}`, { Accept: image.mediaType })
      get.end()
      await answer(get, 200)
    }),
  )
}

async function sendBlob(address: string, name: string, blob: BenchImage['config']): Promise<void> {
  const post = start(address, 'POST', `/v2/${name}/blobs/uploads/`, { 'Content-Length': 0 })
  post.end()
  const { headers } = await answer(post, 202)
  const location = new URL(headers.location ?? '', `http://${address}`)
  location.searchParams.set('digest', blob.digest)
  const put = start(address, 'PUT', `${location.pathname}${location.search}`, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': blob.size,
  })
  const answered = answer(put, 201)
  await pipeline(createReadStream(blob.file, { highWaterMark: 1 << 20 }), put)
  await answered
}

function start(
  address: string,
  method: string,
  path: string,
  headers: Record<string, string | number>,
): ClientRequest {
  return request(`http://${address}${path}`, { method, headers, agent })
}

async function answer(sent: ClientRequest, status: number): Promise<IncomingMessage> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  response.on('data', (chunk: Buffer) => {
    if (response.statusCode !== status) text += chunk.toString()
  })
  await once(response, 'end')
  if (response.statusCode !== status)
    throw new Error(`${sent.method} ${sent.path}: ${response.statusCode} ${text}`)
  return response
}

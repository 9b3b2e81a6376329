import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { redis } from './redis.js'

const VERSION = 1
const token = readFileSync('/run/secrets/token', 'utf8').trim()

const routes = {
  'GET /health': async () => ({ redis: await redis('PING'), version: VERSION }),
  'GET /products': async () => ({ version: VERSION, products: await redis('LRANGE', 'products', '0', '-1') }),
  'POST /products': async (request) => {
    if (request.headers.authorization !== `Bearer ${token}`) return undefined
    const name = new URL(request.url, 'http://api').searchParams.get('name') ?? ''
    return { count: await redis('RPUSH', 'products', name) }
  },
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://api')
  const route = routes[`${request.method} ${pathname}`]
  try {
    const answer = await route?.(request)
    response.statusCode = route === undefined ? 404 : answer === undefined ? 403 : 200
    response.end(`${JSON.stringify(answer ?? {})}\n`)
  } catch (error) {
    response.statusCode = 503
    response.end(`${JSON.stringify({ error: error.message })}\n`)
  }
})
server.listen(8000, () => console.log(`version ${VERSION} listens`))
process.on('SIGTERM', () => server.close(() => process.exit(0)))

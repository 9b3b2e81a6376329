import { createReadStream, readFileSync } from 'node:fs'
import { createServer, request as ask } from 'node:http'

const { api } = JSON.parse(readFileSync('/etc/shop.json', 'utf8'))

/** Pages from /www; what is below /api/ is passed on. */
const server = createServer((request, response) => {
  if (!request.url.startsWith('/api/')) {
    createReadStream('/www/index.html').pipe(response)
    return
  }
  const { method, headers } = request
  const passed = ask(
    `${api}${request.url.slice('/api'.length)}`,
    { method, headers, agent: false },
    (answer) => {
      response.writeHead(answer.statusCode, answer.headers)
      answer.pipe(response)
    },
  )
  passed.on('error', (error) => response.writeHead(502).end(`${error.message}\n`))
  request.pipe(passed)
})
server.listen(80)
process.on('SIGTERM', () => server.close(() => process.exit(0)))

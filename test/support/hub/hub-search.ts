/** index.docker.io: the search of the first registry API. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendJson } from './hub-setup.ts'

const known = [
  {
    name: 'hello-world',
    description: 'Hello World! (an example of minimal Dockerization)',
    star_count: 2532,
    is_official: true,
    is_automated: false,
  },
  {
    name: 'kitematic/hello-world-nginx',
    description: 'A light-weight nginx container that demonstrates the features of Kitematic',
    star_count: 153,
    is_official: false,
    is_automated: false,
  },
  {
    name: 'debian',
    description: 'Debian is a Linux distribution that is composed entirely of free and open-source software.',
    star_count: 5281,
    is_official: true,
    is_automated: false,
  },
]

export function answerSearch(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'https://index.docker.io')
  if (pathname !== '/v1/search') return sendJson(response, 404, { detail: 'not found' })
  const query = searchParams.get('q') ?? ''
  const found = known.filter(({ name, description }) =>
    `${name} ${description}`.toLowerCase().includes(query),
  )
  const results = found.slice(0, Number(searchParams.get('n') ?? 25))
  sendJson(response, 200, {
    num_pages: 1,
    num_results: results.length,
    page: 1,
    page_size: 25,
    query,
    results,
  })
}

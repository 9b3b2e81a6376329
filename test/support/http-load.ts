/**
 * Asks for a URL again and again until its standard input ends, 4 requests at a time and never more than 20,000; says
 * `N` after every 100 that are done and at the end a line of JSON. A program of its own: it runs in a network namespace.
 */
import { get } from 'node:http'

const [url = ''] = process.argv.slice(2)
const MOST = 20_000
let asked = 0
let done = 0
let ends = false
const failures: string[] = []

function once(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const fail = (error: Error): void => {
    failures.push(error.message)
    resolve()
  }
  // Every request is a connection: what a port forwards is connections.
  const request = get(url, { agent: false, timeout: 5000 }, (response) => {
    if (response.statusCode !== 200) failures.push(`status ${response.statusCode}`)
    response.resume().once('end', resolve).once('error', fail)
  })
  request.once('error', fail).once('timeout', () => request.destroy(new Error('no answer in 5 s')))
  return promise
}

async function ask(): Promise<void> {
  while (!ends && asked < MOST) {
    asked += 1
    await once()
    done += 1
    if (done % 100 === 0) process.stdout.write(`${done}\n`)
  }
}

process.stdin.resume().once('end', () => {
  ends = true
})
await Promise.all([ask(), ask(), ask(), ask()])
process.stdout.write(`${JSON.stringify({ done, failures })}\n`)
process.stdin.destroy()

import { connect } from 'node:net'

/** Sends one command to redis, and resolves to its answer: text, a number, null, or a list of these. */
export async function redis(...words) {
  const socket = connect(6379, process.env.REDIS_HOST)
  socket.write(
    `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
  )
  let text = ''
  for await (const chunk of socket) {
    text += chunk
    const answer = parse(text)
    if (answer !== undefined) {
      socket.destroy()
      return answer.value
    }
  }
  throw new Error('redis closed the connection')
}

/** Undefined while the answer is not whole. */
function parse(text) {
  const end = text.indexOf('\r\n')
  if (end === -1) return undefined
  const [kind, line, rest] = [text[0], text.slice(1, end), text.slice(end + 2)]
  if (kind === '+') return { value: line, rest }
  if (kind === ':') return { value: Number(line), rest }
  if (kind === '-') throw new Error(line)
  const length = Number(line)
  if (kind === '$') {
    if (length === -1) return { value: null, rest }
    return rest.length < length + 2
      ? undefined
      : { value: rest.slice(0, length), rest: rest.slice(length + 2) }
  }
  const items = []
  let left = rest
  for (let i = 0; i < length; i++) {
    const item = parse(left)
    if (item === undefined) return undefined
    items.push(item.value)
    left = item.rest
  }
  return { value: items, rest: left }
}

import { Duplex } from 'node:stream'
import type { Exchange } from '../grpc/client.ts'

interface Bytes {
  readonly data: Uint8Array
}

/** A call that carries bytes both ways, as a connection. */
export function callStream(exchange: Exchange<Bytes, Bytes>): Duplex {
  const answers = exchange.answers[Symbol.asyncIterator]()
  return new Duplex({
    allowHalfOpen: true,
    read() {
      answers.next().then(
        ({ done, value }) => void this.push(done === true ? null : value.data),
        (error: Error) => this.destroy(error),
      )
    },
    write(chunk: Uint8Array, _encoding, done) {
      exchange.send({ data: chunk }).then(() => done(), done)
    },
    final(done) {
      exchange.end()
      done()
    },
    destroy(error, done) {
      exchange[Symbol.dispose]()
      done(error)
    },
  })
}

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { listeningSockets, parseSockets, processWithSocket, socketsOf } from './sockets.ts'

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'

describe('parseSockets()', () => {
  it('keeps listeners, with addresses as people write them', () => {
    const rest = '00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0'
    const lines = [
      `   0: 0100007F:0050 00000000:0000 0A ${rest}`,
      `   1: 0100007F:0050 0100007F:9999 01 ${rest}`,
      `   2: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A ${rest}`,
      `   3: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A ${rest}`,
      `   4: 00000000000000000000000000000000:0052 00000000000000000000000000000000:0000 0A ${rest}`,
    ]
    assert.deepEqual(
      parseSockets(HEAD + lines.join('\n'), 'tcp').map(({ address, port }) => `${address} ${port}`),
      ['127.0.0.1 80', '::1 8080', '127.0.0.1 81', ':: 82'],
    )
  })
})

describe('listeningSockets()', () => {
  it('finds a listener of this process, and the process by its socket', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const found = (await listeningSockets('self')).find((one) => one.protocol === 'tcp' && one.port === port)
    assert.equal(found?.address, '127.0.0.1')
    assert.equal((await processWithSocket(found?.inode ?? ''))?.pid, process.pid)
    assert.ok((await socketsOf(process.pid)).has(found?.inode ?? ''))
    server.close()
  })
})

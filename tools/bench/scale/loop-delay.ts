/**
 * Loaded into the measured engine (`NODE_OPTIONS=--import`): who connects to the socket that LOOP_DELAY_SOCKET names reads how
 * long the engine's event loop was held up since the one before, and the engine's memory, as JSON.
 */
import { createServer } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const socket = process.env['LOOP_DELAY_SOCKET']
/** Milliseconds between two looks; a loop that is not held up at all shows this. */
const RESOLUTION = 1

if (socket !== undefined && process.argv[1]?.endsWith('berthd.ts') === true) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION })
  histogram.enable()
  const milliseconds = (nanoseconds: number): number => nanoseconds / 1e6 - RESOLUTION
  const server = createServer((connection) => {
    const { rss } = process.memoryUsage()
    const [p99, most] = [histogram.percentile(99), histogram.max].map(milliseconds)
    connection.end(JSON.stringify({ p99, most, megabytes: rss / 2 ** 20 }))
    histogram.reset()
  })
  server.listen(socket).unref()
}

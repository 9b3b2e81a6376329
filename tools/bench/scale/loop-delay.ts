/**
 * Loaded into the measured engine (`NODE_OPTIONS=--import`): at SIGUSR2 it writes how long its event loop was held up since
 * the last time, and its memory, into the file that LOOP_DELAY_FILE names.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const file = process.env['LOOP_DELAY_FILE']
/** Milliseconds between two looks; a loop that is not held up at all shows this. */
const RESOLUTION = 1

if (file !== undefined && process.argv[1]?.endsWith('berthd.ts') === true) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION })
  histogram.enable()
  process.on('SIGUSR2', () => {
    const milliseconds = (nanoseconds: number): number => nanoseconds / 1e6 - RESOLUTION
    const [p50, p99] = [50, 99].map((percent) => milliseconds(histogram.percentile(percent)))
    const { rss, heapUsed } = process.memoryUsage()
    writeFileSync(
      `${file}.new`,
      JSON.stringify({ p50, p99, max: milliseconds(histogram.max), rss, heapUsed }),
    )
    renameSync(`${file}.new`, file)
    histogram.reset()
  })
}

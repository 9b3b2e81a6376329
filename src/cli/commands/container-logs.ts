import { command } from '../command.ts'
import { bool, string } from '../flags.ts'
import { copyFrames } from '../run/stream-session.ts'
import { unixTime } from '../time-argument.ts'
import { pipeline } from 'node:stream/promises'

export default command({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Show what a container has written to stdout and stderr',
  min: 1,
  max: 1,
  completes: 'containers',
  flags: {
    details: bool('Show attributes that the log driver keeps'),
    follow: bool('Go on as more is written', { short: 'f' }),
    since: string('Since a time (2026-01-02T15:04:05Z) or for so long (42m)'),
    tail: string('Only the last so many lines', { short: 'n', initial: 'all' }),
    timestamps: bool('Show when it was written', { short: 't' }),
    until: string('Until a time or so long ago'),
  },
  async run({ args: [ref = ''], flags }, { client, io, signal }) {
    const { since, until, ...options } = flags
    const { Config, Id } = await client.containerQuery.inspect(ref)
    const logs = await client.containerStreams.logs(Id ?? ref, {
      ...options,
      since: unixTime(since, io.now()),
      until: unixTime(until, io.now()),
      signal,
    })
    if (Config?.Tty === true) await pipeline(logs, io.stdout, { end: false })
    else await copyFrames(logs, io)
  },
})

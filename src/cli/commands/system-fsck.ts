import { command, type Context } from '../command.ts'
import { errorText } from '../errors.ts'
import { bool } from '../flags.ts'
import { paintFor } from '../format/colors.ts'
import { findingText, verdict } from '../format/findings.ts'
import { showPlain, throwFailure } from '../format/progress.ts'
import { ProgressScreen } from '../format/progress-screen.ts'
import { registryConfig } from '../registry-auth.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Check everything that is stored, and repair what is damaged',
  min: 0,
  max: 0,
  flags: { repair: bool('Repair what can be repaired; without it nothing is changed') },
  async run({ flags: { repair } }, context) {
    const { client, io, signal, out } = context
    const auths = repair ? await credentials(context) : undefined
    const paint = paintFor(io)
    using screen = io.stderr.isTTY === true ? new ProgressScreen(io.stderr) : undefined
    let left = 0
    for await (const message of client.system.fsck({ repair, auths, signal })) {
      throwFailure(message)
      const { finding, summary, status } = message
      if (finding !== undefined) {
        screen?.erase()
        out(findingText(finding, paint))
      } else if (summary !== undefined) {
        screen?.erase()
        out(`${verdict(summary.findings, summary.repaired, repair)}\n`)
        left = summary.findings - summary.repaired
      } else if (screen === undefined) showPlain(message, io.stderr)
      // A step of its own replaces the one before it.
      else screen.show({ ...message, id: 'fsck', status: status ?? '' })
    }
    return left === 0 ? 0 : 1
  },
})

/** A helper that does not work is no reason to leave what is damaged; layers of public repositories need no password. */
async function credentials(context: Context): Promise<string | undefined> {
  try {
    return await registryConfig(context)
  } catch (error) {
    context.signal.throwIfAborted()
    context.err(`WARNING! Registries are asked anonymously: ${errorText(error)}\n`)
    return undefined
  }
}

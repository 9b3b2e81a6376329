import { COMPOSE_VERSION } from '#compose/state/labels.ts'
import { bool, string } from '../../flags.ts'
import { clientVersion } from '../../version.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS]',
  summary: 'Print the version',
  flags: {
    format: string('pretty or json', { short: 'f', initial: 'pretty' }),
    short: bool('Only the number of the Compose whose conventions are followed'),
  },
  async run({ flags }, { out }) {
    if (flags.short) out(`${COMPOSE_VERSION}\n`)
    else if (flags.format === 'json')
      out(`${JSON.stringify({ version: COMPOSE_VERSION, berth: clientVersion.version })}\n`)
    else out(`berth compose version ${clientVersion.version}, as Docker Compose ${COMPOSE_VERSION}\n`)
  },
})

import { command } from '../command.ts'
import { warnOfEnvironment } from '../credentials/environment.ts'
import { CredentialStore } from '../credentials/credential-store.ts'
import { typedServer } from '../credentials/servers.ts'

export default command({
  usage: '[SERVER]',
  summary: 'Forget the credentials for a registry; without SERVER, for Docker Hub',
  min: 0,
  max: 1,
  completes: 'logins',
  flags: {},
  async run({ args: [name = ''] }, context) {
    const server = typedServer(name)
    warnOfEnvironment(context)
    if (await new CredentialStore(context).erase(server)) {
      context.out(`Removing login credentials for ${server.key}\n`)
    } else context.out(`Not logged in to ${server.key}\n`)
  },
})

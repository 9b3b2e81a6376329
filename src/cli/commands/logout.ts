import { command } from '../command.ts'
import { CredentialStore } from '../credentials/credential-store.ts'
import { registryServer } from '../credentials/servers.ts'

export default command({
  usage: '[SERVER]',
  summary: 'Forget the credentials for a registry; without SERVER, for Docker Hub',
  min: 0,
  max: 1,
  completes: 'logins',
  flags: {},
  async run({ args: [name = ''] }, context) {
    const server = registryServer(name)
    if (await new CredentialStore(context).erase(server)) {
      context.out(`Removing login credentials for ${server.key}\n`)
    } else context.out(`Not logged in to ${server.key}\n`)
  },
})

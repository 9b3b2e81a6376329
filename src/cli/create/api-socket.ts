import { Readable } from 'node:stream'
import type { ContainerCreateBody } from '#client/containers.ts'
import { writeTar, type TarSource } from '#oci/tar/write-tar.ts'
import type { Context } from '../command.ts'
import { CredentialStore } from '../credentials/credential-store.ts'
import { registryServer } from '../credentials/servers.ts'
import { commandError } from '../errors.ts'

const SOCKET = '/var/run/docker.sock'
const DIRECTORY = 'run/secrets/docker'

/** `--use-api-socket`: the engine's socket in the container, and the way to the credentials that are put there. */
export function withApiSocket(body: ContainerCreateBody, { client }: Context): ContainerCreateBody {
  const { endpoint } = client.transport
  const binds = body.HostConfig?.Binds ?? []
  if (binds.some((bind) => bind.split(':')[1] === SOCKET)) {
    throw commandError(`--use-api-socket: ${SOCKET} is mounted from elsewhere already`)
  }
  const source = endpoint.kind === 'unix' ? endpoint.path : SOCKET
  return {
    ...body,
    Env: [...(body.Env ?? []), `DOCKER_CONFIG=/${DIRECTORY}`],
    HostConfig: { ...body.HostConfig, Binds: [...binds, `${source}:${SOCKET}`] },
  }
}

/** Puts the credentials of whoever calls where the programs in the container find them. */
export async function putCredentials(id: string, context: Context): Promise<void> {
  const store = new CredentialStore(context)
  const auths: Record<string, object> = {}
  for (const name of await store.servers()) {
    const server = registryServer(name)
    const found = await store.get(server)
    if (found === undefined) continue
    const { username = '', password = '', ...tokens } = found
    auths[server.key] = { auth: Buffer.from(`${username}:${password}`).toString('base64'), ...tokens }
  }
  const text = Buffer.from(JSON.stringify({ auths }))
  await context.client.containerFiles.put(id, '/', Readable.from(writeTar(members(text))))
}

function members(text: Buffer): TarSource[] {
  const common = { uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, size: 0 }
  const parts = DIRECTORY.split('/')
  const directories = parts.map((_, i) => parts.slice(0, i + 1).join('/'))
  return [
    ...directories.map((path): TarSource => {
      return { entry: { ...common, path, type: 'directory', mode: 0o755 }, data: [] }
    }),
    {
      entry: { ...common, path: `${DIRECTORY}/config.json`, type: 'file', mode: 0o600, size: text.length },
      data: [text],
    },
  ]
}

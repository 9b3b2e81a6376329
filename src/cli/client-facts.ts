import { newestVersion } from '#api/version.ts'
import type { Context } from './command.ts'
import { clientVersion } from './version.ts'

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' }

/** What `version` and `info` say about this side. */
export async function clientFacts({ client, context }: Context): Promise<Record<string, string>> {
  // Without a daemon nothing is agreed on, and the newest version is what would be offered.
  const api = await client.transport.version().catch(() => newestVersion)
  return {
    Version: clientVersion.version,
    ApiVersion: api,
    DefaultAPIVersion: newestVersion,
    GitCommit: clientVersion.gitCommit,
    GoVersion: `node${process.versions.node}`,
    Os: process.platform,
    Arch: architectures[process.arch] ?? process.arch,
    BuildTime: clientVersion.built,
    Context: context,
  }
}

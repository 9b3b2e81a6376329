import type { Clock } from '#base/clock.ts'
import type { BuildResult, BuildService } from '#engine/builds/service.ts'
import { vertexReport } from '#engine/builds/vertex-report.ts'
import type { Job } from './job.ts'
import type { ClientSessions } from './session/sessions.ts'
import { statusOf } from './status.ts'

export interface SendDeps {
  readonly builds: Pick<BuildService, 'artifact'>
  readonly sessions: ClientSessions
  readonly now: () => string
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Gives the client the outputs that it writes itself. */
export async function sendArtifacts(
  { id, artifacts }: BuildResult,
  { request, status }: Job,
  { builds, sessions, now, clock, signal }: SendDeps,
): Promise<void> {
  const report: Parameters<typeof vertexReport>[1] = (message) => {
    const told = statusOf(message, { now: now(), source: undefined })
    if (told !== undefined) status.put(told)
  }
  for (const index of artifacts) {
    const client = await sessions.find(request.session)
    const isTree = request.exporters[index]?.type === 'local'
    await vertexReport(isTree ? 'copying files' : 'sending tarball', report, now, async () => {
      const tar = await builds.artifact(id, index)
      await (isTree ? client.sendTree(index, tar, { signal, clock }) : client.send(index, tar, signal))
    })
  }
}

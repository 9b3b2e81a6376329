import type { BuildResult, BuildService } from '#engine/builds/service.ts'
import { vertexReport } from '#engine/builds/vertex-report.ts'
import type { Job } from './job.ts'
import type { ClientSessions } from './session/sessions.ts'
import { statusOf } from './status.ts'

export interface SendDeps {
  readonly builds: Pick<BuildService, 'artifact'>
  readonly sessions: ClientSessions
  readonly now: () => string
  readonly signal: AbortSignal
}

/** Gives the client the outputs that it writes itself. */
export async function sendArtifacts(
  { id, artifacts }: BuildResult,
  { request, status }: Job,
  { builds, sessions, now, signal }: SendDeps,
): Promise<void> {
  const report: Parameters<typeof vertexReport>[1] = (message) => {
    const told = statusOf(message, { now: now(), source: undefined })
    if (told !== undefined) void status.put(told)
  }
  for (const index of artifacts) {
    const client = await sessions.find(request.session)
    await vertexReport('sending tarball', report, now, async () =>
      client.send(index, await builds.artifact(id, index), signal),
    )
  }
}

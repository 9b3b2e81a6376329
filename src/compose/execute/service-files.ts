import { Readable } from 'node:stream'
import { type TarSource, writeTar } from '#oci/tar/write-tar.ts'
import type { Client } from '#client/client.ts'
import { filesOf, type ServiceFile } from '../create/mounts.ts'
import { projectError } from '../document/errors.ts'
import type { Project, Service } from '../model/project.ts'

/** Secrets and configurations that are no files of the host: written into a container before it starts. */
export async function writeServiceFiles(
  client: Client,
  container: string,
  { project, name, service }: { readonly project: Project; readonly name: string; readonly service: Service },
): Promise<void> {
  const written = filesOf(project, service).filter(({ resource }) => resource.file === undefined)
  if (written.length === 0) return
  const entries = written.map((file) => tarSource(file, contentOf(file, name, project)))
  await client.containerFiles.put(container, '/', Readable.from(writeTar(entries), { objectMode: false }), {
    copyUIDGID: true,
  })
}

/** Rejects files that cannot be made, before anything is: an engine without Swarm keeps none, and a variable may be missing. */
export function checkServiceFiles(project: Project): void {
  for (const [name, service] of Object.entries(project.services)) {
    for (const file of filesOf(project, service)) {
      if (file.resource.file === undefined) contentOf(file, name, project)
    }
  }
}

function contentOf(
  { section, resource, reference }: ServiceFile,
  name: string,
  { environment, placeOf }: Project,
): string {
  if (resource.content !== undefined) return resource.content
  const variable = resource.environment
  const value = variable === undefined ? undefined : environment.get(variable)
  if (value !== undefined) return value
  const place = placeOf(section, reference.source, variable === undefined ? 'external' : 'environment')
  if (variable !== undefined) {
    throw projectError(
      `service ${JSON.stringify(name)}: environment variable ${JSON.stringify(variable)} required by file ${JSON.stringify(reference.source)} is not set`,
      { place },
    )
  }
  throw projectError(
    `service ${JSON.stringify(name)}: unsupported external secret or config ${reference.source}: an engine of one host keeps none; name a file`,
    { place },
  )
}

function tarSource({ reference, target }: ServiceFile, content: string): TarSource {
  const data = Buffer.from(content)
  const { uid = '0', gid = '0', mode = '0444' } = reference
  const entry = {
    type: 'file',
    path: target.replace(/^\/+/, ''),
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    mtime: { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 },
    size: data.length,
  } as const
  return { entry, data: [data] }
}

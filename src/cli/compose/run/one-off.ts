import { randomBytes } from 'node:crypto'
import { containerBody } from '#compose/create/body.ts'
import { writeServiceFiles } from '#compose/execute/service-files.ts'
import { serviceHash } from '#compose/model/hash.ts'
import { imageOf } from '#compose/model/names.ts'
import type { Project, Service } from '#compose/model/project.ts'
import { labels } from '#compose/state/labels.ts'
import { observeContainers } from '#compose/state/observe.ts'
import type { ComposeContext } from '../subcommand.ts'

interface Choices {
  readonly name: string
  readonly rm: boolean
  readonly 'use-aliases': boolean
}

/** Makes a container for one command; it is not counted among those of the service. */
export async function createOneOff(
  project: Project,
  name: string,
  service: Service,
  choices: Choices,
  { client, err }: ComposeContext,
): Promise<{ readonly id: string; readonly name: string }> {
  const slug = randomBytes(6).toString('hex')
  const container = choices.name || `${project.name}-${name}-run-${slug}`
  const image = imageOf(project.name, name, service)
  const others = await observeContainers(client, project.name)
  const body = containerBody(project, service, {
    service: name,
    number: 1,
    name: container,
    image,
    inherited: [],
    oneoff: true,
    hash: serviceHash(service),
    imageId: (await client.images.inspect(image)).Id ?? undefined,
    containerOf: (other) => others.find((each) => each.service === other && !each.oneoff)?.id ?? other,
    aliases: choices['use-aliases'],
  })
  const created = await client.containers.create(
    {
      ...body,
      Labels: { ...body.Labels, [labels.slug]: slug },
      HostConfig: { ...body.HostConfig, AutoRemove: choices.rm },
      ...(service.stdin_open === true ? { StdinOnce: true, AttachStdin: true } : {}),
    },
    { name: container, platform: service.platform },
  )
  for (const warning of created.Warnings ?? []) err(`WARN: ${warning}\n`)
  const id = created.Id ?? ''
  await writeServiceFiles(client, id, { project, name, service })
  return { id, name: container }
}

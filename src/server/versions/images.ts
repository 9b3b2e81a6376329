import type { ImageInspect, ImageSummary } from '#api/generated/types.ts'
import { isBefore, type ApiVersion } from '#api/version.ts'
import { graphDriverOf } from './graph-driver.ts'

/** `GET /images/{name}/json`. */
export function lowerImage(document: object, version: ApiVersion): object {
  if (!isBefore(version, '1.53')) return document
  const { Identity: _later, ...newest } = document as ImageInspect
  const lowered: Record<string, unknown> = { ...newest }
  if (isBefore(version, '1.52')) Object.assign(lowered, withEmptyFields(newest))
  if (isBefore(version, '1.50')) lowered['Config'] = { ...containerOnlyFields, ...newest.Config }
  if (isBefore(version, '1.48')) delete lowered['Descriptor']
  if (isBefore(version, '1.48')) delete lowered['Manifests']
  if (isBefore(version, '1.45')) lowered['ContainerConfig'] = emptyContainerConfig
  if (isBefore(version, '1.44')) lowered['VirtualSize'] = newest.Size ?? 0
  if (isBefore(version, '1.43')) Object.assign(lowered, withPlaceholders(newest))
  return lowered
}

function withEmptyFields(image: ImageInspect): object {
  return {
    Parent: '',
    Comment: image.Comment ?? '',
    DockerVersion: '',
    Author: image.Author ?? '',
    GraphDriver: image.GraphDriver ?? graphDriverOf(undefined, undefined),
  }
}

/** An image's Config was a container's until 1.49, with these always empty. */
const containerOnlyFields = {
  Hostname: '',
  Domainname: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: '',
}

/** The container that an image was made from was described until 1.44; it has not been known for long. */
const emptyContainerConfig = {
  ...containerOnlyFields,
  User: '',
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
}

/** `GET /images/json`. */
export function lowerImageSummaries(document: object, version: ApiVersion): object {
  if (!isBefore(version, '1.51')) return document
  return (document as ImageSummary[]).map((summary) => ({
    ...lowerSummary(summary, version),
    Containers: -1,
  }))
}

/** The images of `GET /system/df`, which have always said how many containers they have. */
export function lowerUsedImages(images: readonly unknown[], version: ApiVersion): object[] {
  return (images as ImageSummary[]).map((summary) => lowerSummary(summary, version))
}

function lowerSummary(summary: ImageSummary, version: ApiVersion): object {
  const lowered: Record<string, unknown> = { ...summary }
  if (isBefore(version, '1.48')) delete lowered['Descriptor']
  if (isBefore(version, '1.47')) delete lowered['Manifests']
  if (isBefore(version, '1.44')) lowered['VirtualSize'] = summary.Size ?? 0
  if (isBefore(version, '1.43')) Object.assign(lowered, noDigests(summary), withPlaceholders(summary))
  return lowered
}

/** A list that is empty was null here. */
function noDigests({ RepoDigests }: ImageSummary): object {
  return (RepoDigests ?? []).length > 0 ? {} : { RepoDigests: null }
}

/** How an image without a name was shown until 1.42. */
function withPlaceholders(image: ImageSummary | ImageInspect): object {
  const tags = image.RepoTags ?? []
  const digests = image.RepoDigests ?? []
  if (tags.length > 0) return {}
  return {
    RepoTags: ['<none>:<none>'],
    RepoDigests: digests.length > 0 ? digests : ['<none>@<none>'],
  }
}

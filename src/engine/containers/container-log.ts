import type { ShimLog } from '#runtime/shim.ts'
import { type LoggedContainer, logAttributes, logTag } from '../logs/log-attributes.ts'
import { type LogConfig, rotationOf } from '../logs/log-options.ts'
import type { Container } from './container.ts'

export function logConfigOf({ hostConfig }: Container): LogConfig {
  return hostConfig.LogConfig ?? {}
}

/** What the log of a container may say about it. */
export function loggedContainer(
  container: Pick<Container, 'id' | 'name' | 'image' | 'imageId' | 'config'>,
): LoggedContainer {
  const { id, name, image, imageId, config } = container
  return { id, name, image, imageId, labels: config.Labels ?? {}, environment: config.Env ?? [] }
}

/** The log that the container's supervisor writes to `file`; undefined: none. */
export function shimLog(container: Container, file: string): ShimLog | undefined {
  const config = logConfigOf(container)
  const rotation = rotationOf(config)
  if (rotation === undefined) return undefined
  const options = config.Config ?? {}
  const logged = loggedContainer(container)
  const tag = options['tag'] ? { tag: logTag(logged, options['tag']) } : {}
  return { file, ...rotation, attributes: { ...logAttributes(logged, options), ...tag } }
}

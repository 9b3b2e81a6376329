import type { Service } from './project.ts'

/** The image of a service; one that is built without a name is called after project and service. */
export function imageOf(project: string, name: string, { image }: Service): string {
  return image ?? `${project}-${name}`
}

/** Of the container with that number, counted from 1. */
export function containerName(project: string, name: string, service: Service, number: number): string {
  return service.container_name ?? `${project}-${name}-${number}`
}

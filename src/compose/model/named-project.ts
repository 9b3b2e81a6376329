import type { Project } from './project.ts'

/** A project of which only the name is known. */
export function namedProject(name: string): Project {
  return {
    name,
    services: {},
    disabled: {},
    networks: {},
    volumes: {},
    secrets: {},
    configs: {},
    models: {},
    extensions: {},
    directory: '',
    files: [],
    envFiles: [],
    environment: new Map(),
    placeOf: () => undefined,
  }
}

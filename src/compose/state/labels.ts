/** Labels by which Compose knows what belongs to which project; the same as the real one writes, so that each manages the other's. */
export const labels = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  hash: 'com.docker.compose.config-hash',
  number: 'com.docker.compose.container-number',
  oneoff: 'com.docker.compose.oneoff',
  slug: 'com.docker.compose.slug',
  image: 'com.docker.compose.image',
  dependsOn: 'com.docker.compose.depends_on',
  directory: 'com.docker.compose.project.working_dir',
  files: 'com.docker.compose.project.config_files',
  envFiles: 'com.docker.compose.project.environment_file',
  version: 'com.docker.compose.version',
  volume: 'com.docker.compose.volume',
  network: 'com.docker.compose.network',
  replace: 'com.docker.compose.replace',
} as const

/** The Compose whose conventions are followed. */
export const COMPOSE_VERSION = '2.40.3'

/** A filter for everything that belongs to a project. */
export function ofProject(name: string, ...more: readonly string[]): { readonly label: readonly string[] } {
  return { label: [`${labels.project}=${name}`, ...more] }
}

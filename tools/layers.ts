/** Who may import whom: the architecture, as data. `npm run check` enforces it. `layer/room` stands for that room alone. */
export const layers: Readonly<Record<string, readonly string[]>> = {
  base: [],
  oci: ['base'],
  api: ['base', 'oci'],
  os: ['base', 'oci'],
  store: ['base', 'oci', 'os'],
  registry: ['base', 'oci', 'os', 'store'],
  runtime: ['base', 'oci', 'os'],
  network: ['base', 'os'],
  build: ['base', 'oci', 'store', 'registry', 'runtime', 'os'],
  engine: ['base', 'oci', 'api', 'os', 'store', 'registry', 'runtime', 'network', 'build'],
  server: ['base', 'oci', 'api', 'engine'],
  daemon: ['*'],
  client: ['base', 'api'],
  compose: ['base', 'oci', 'api', 'client', 'build/dockerfile'],
  cli: ['base', 'oci', 'api', 'client', 'compose', 'build/dockerfile'],
  bin: ['base', 'cli', 'daemon', 'registry'],
}

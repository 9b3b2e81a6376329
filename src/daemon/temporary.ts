export const memoryCgroupDirectory = (version: 'v1' | 'v2') => (path: string): string =>
  version === 'v1' ? `/sys/fs/cgroup/memory${path}` : `/sys/fs/cgroup${path}`
export class Sampler {
  constructor(_cgroups: unknown) {}
  async *sample(): AsyncIterable<unknown> {}
}

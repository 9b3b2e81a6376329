/** The images that scenarios begin with: the same bytes for both engines. */
import { baseArchive } from '#test/support/base-archive.ts'

/** Every member of an image's configuration says something. */
const full = {
  User: 'www-data',
  ExposedPorts: { '80/tcp': {}, '53/udp': {} },
  Env: ['PATH=/bin:/usr/bin', 'GREETING=hello'],
  Entrypoint: ['/bin/echo', 'from the image'],
  Cmd: ['of', 'the image'],
  Volumes: { '/kept': {} },
  WorkingDir: '/work',
  Labels: { 'org.example.kind': 'full' },
  StopSignal: 'SIGINT',
  Healthcheck: { Test: ['CMD', 'true'], Interval: 60_000_000_000 },
  Shell: ['/bin/sh', '-ec'],
  OnBuild: ['RUN true'],
}

const made: Promise<Buffer[]> = Promise.all([
  baseArchive('busybox', { Cmd: ['sh'], Env: ['PATH=/bin:/usr/bin'] }),
  baseArchive('full', full),
])

export async function fixtures(): Promise<readonly Buffer[]> {
  return made
}

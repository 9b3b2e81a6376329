import type { RunStep } from '#build/graph/operations.ts'

/** A step that says nothing but what is given. */
export function runStep(changes: Partial<RunStep> = {}): RunStep {
  return {
    kind: 'run',
    on: { kind: 'scratch' },
    label: { name: 'RUN', stage: 'stage-0', instruction: 'RUN', line: 1, args: {}, uncached: false },
    args: ['/bin/sh', '-c', 'make'],
    env: ['PATH=/usr/bin:/bin'],
    proxyEnv: [],
    cwd: '/',
    user: '',
    mounts: [],
    scripts: [],
    network: 'default',
    security: 'sandbox',
    platform: { os: 'linux', architecture: 'amd64' },
    hostname: 'buildkitsandbox',
    extraHosts: [],
    limits: {},
    ...changes,
  }
}

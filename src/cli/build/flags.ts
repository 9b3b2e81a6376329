import { bool, bytes, integer, list, string, type Values } from '../flags.ts'
import { platformNames } from '../platform-names.ts'

const progressNames = ['auto', 'tty', 'plain', 'quiet', 'rawjson', 'none'] as const

export const buildFlags = {
  'add-host': list('Extra name for RUN (host:ip); host-gateway is an address'),
  allow: list('What RUN may have: network.host, security.insecure', {
    completes: ['network.host', 'security.insecure'],
  }),
  annotation: list('Annotation of the manifest ([type:]key=value)'),
  attest: list('Attestation (type=sbom or type=provenance)'),
  'build-arg': list('Value of an ARG (key=value); without a value, from the environment'),
  'build-context': list('Named context (name=path, image or URL)'),
  builder: string('Has no effect', { hidden: true }),
  'cache-from': list('Where results of earlier builds are (image, or type=registry|local,...)'),
  'cache-to': list('Where to put the results (type=inline|registry|local,...)'),
  call: string('build, check, outline or targets', {
    initial: 'build',
    completes: ['build', 'check', 'outline', 'targets'],
  }),
  'cgroup-parent': string('Control group above that of RUN'),
  check: bool('Only check the Dockerfile'),
  compress: bool('Has no effect', { hidden: true }),
  debug: bool('Has no effect', { short: 'D', hidden: true }),
  'cpu-period': integer('CFS period of RUN, in microseconds'),
  'cpu-quota': integer('CFS quota of RUN, in microseconds'),
  'cpu-shares': integer('Relative CPU weight of RUN', { short: 'c' }),
  'cpuset-cpus': string('CPUs that RUN may use (0-3, 0,1)'),
  'cpuset-mems': string('Memory nodes that RUN may use (0-3, 0,1)'),
  'disable-content-trust': bool('Has no effect', { hidden: true, initial: true }),
  explain: bool('Say of every step that was done again why'),
  file: string('Dockerfile: a path, an address, or - for stdin', { short: 'f', completes: 'files' }),
  'force-rm': bool('Has no effect: nothing is left of a step', { hidden: true }),
  iidfile: string('File for the id of the image', { completes: 'files' }),
  isolation: string('Has no effect', { hidden: true }),
  label: list('Label of the image (key=value)'),
  load: bool('Into the image store, as --output=type=docker'),
  memory: bytes('Memory limit of RUN', { short: 'm' }),
  'memory-swap': bytes('Memory and swap of RUN; -1: unlimited', { unlimited: true }),
  'metadata-file': string('File for what is known of the result', { completes: 'files' }),
  network: string('Network of RUN: default, none or host', {
    initial: 'default',
    completes: ['default', 'none', 'host'],
  }),
  'no-cache': bool('Do every step again'),
  'no-cache-filter': list('Do the steps of these stages again'),
  output: list('Where the result goes (type=local|tar|oci|docker|image|registry,dest=path; or a directory)', {
    short: 'o',
  }),
  platform: list('Platforms to build for (os/arch[/variant])', { completes: platformNames }),
  progress: string('auto, tty, plain, quiet, rawjson or none', { initial: 'auto', completes: progressNames }),
  provenance: string('Attest how the image was made (true, false, mode=min|max)'),
  pull: bool('Ask for newer base images'),
  push: bool('To its registry, as --output=type=registry'),
  quiet: bool('No progress; print the id of the image', { short: 'q' }),
  rm: bool('Has no effect: nothing is left of a step', { hidden: true, initial: true }),
  sbom: string('Attest what is in the image (true, false, generator=image)'),
  secret: list('Secret for RUN (id=name[,src=path|env=variable])'),
  'security-opt': list('Not possible in builds', { hidden: true }),
  'shm-size': bytes('Size of /dev/shm of RUN'),
  squash: bool('Make one layer of those of the build'),
  ssh: list('Agent for RUN (default, or id=socket|key[,key])'),
  tag: list('Name of the image (name[:tag])', { short: 't' }),
  target: string('Stage to build'),
  ulimit: list('Limit of RUN (name=soft[:hard])'),
} as const

/** Switches that may also have another word, such as `--provenance=mode=max`, are texts here. */
export type BuildFlags = Values<typeof buildFlags>

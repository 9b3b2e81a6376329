/** What the stand-in for Docker Hub offers: hello-world, for two platforms and with provenance, and Debian. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Descriptor, mediaTypes } from '#oci/image-spec.ts'
import { hostPlatform } from '#oci/platform.ts'
import { member, tarOf } from '../busybox-image.ts'
import { RegistryContents } from '../registry-images.ts'

const REPOSITORY = join(import.meta.dirname, '../../..')

export const GREETING = 'Hello from a container!'

const PROGRAM = `
#include <unistd.h>
static const char text[] = "\\n${GREETING}\\nIt was pulled by name and has run.\\n\\n";
int main(void) { return write(1, text, sizeof text - 1) != sizeof text - 1; }
`

/** Tags `latest` and `linux`: one index with this machine's image, that of another one, and an attestation. */
export async function helloWorld(): Promise<RegistryContents> {
  const contents = new RegistryContents()
  const config = { Cmd: ['/hello'], Env: ['PATH=/usr/local/sbin:/usr/bin:/bin'], WorkingDir: '/' }
  const program = compiled(PROGRAM)
  const here = contents.image({ layers: [await layerOf(program)], config })
  const other = { os: 'linux', architecture: hostPlatform().architecture === 'arm64' ? 'amd64' : 'arm64' }
  const there = contents.image({
    layers: [await layerOf(Buffer.from('for another processor'))],
    config,
    platform: other,
  })
  const attestation = attestationOf(contents, here)
  for (const tag of ['latest', 'linux']) contents.index([here, there, attestation], tag)
  return contents
}

/** A root filesystem with thousands of files, as `tools/make-images` makes it. */
export function debian(): RegistryContents {
  const images = join(REPOSITORY, '.cache/images')
  const { status, stderr } = spawnSync(join(REPOSITORY, 'tools/make-images'), [images], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`no Debian: ${stderr}`)
  const contents = new RegistryContents()
  contents.image({ layers: [readFileSync(join(images, 'debian.tar'))], config: { Cmd: ['bash'] } }, 'latest')
  return contents
}

async function layerOf(program: Uint8Array): Promise<Uint8Array> {
  return tarOf(member({ path: 'hello', mode: 0o755 }, program))
}

function compiled(source: string): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), 'berth-hello-'))
  try {
    const [from, to] = [join(directory, 'hello.c'), join(directory, 'hello')]
    writeFileSync(from, source)
    execFileSync('musl-gcc', ['-Os', '-static', '-s', '-o', to, from])
    return readFileSync(to)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function attestationOf(contents: RegistryContents, of: Descriptor): Descriptor {
  const statement = contents.blob(
    Buffer.from(
      JSON.stringify({
        _type: 'https://in-toto.io/Statement/v0.1',
        predicateType: 'https://slsa.dev/provenance/v0.2',
      }),
    ),
    'application/vnd.in-toto+json',
  )
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'unknown',
      os: 'unknown',
      rootfs: { type: 'layers', diff_ids: [statement.digest] },
    }),
  )
  const annotations = { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v0.2' }
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: contents.blob(config, mediaTypes.ociConfig),
    layers: [{ ...statement, annotations }],
  }
  return {
    ...contents.document(manifest, mediaTypes.ociManifest),
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': of.digest,
    },
  }
}

/** A root filesystem small enough to be made for every test file: busybox, its commands, and who the users are. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import type { TarEntry } from '#oci/tar/entry.ts'
import { type TarSource, writeTar } from '#oci/tar/write-tar.ts'

const BUSYBOX = '/bin/busybox'
const PASSWD =
  'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www:/var/www:/bin/sh\nnobody:x:65534:65534::/home:/bin/sh\n'
const GROUP = 'root:x:0:\nwww-data:x:33:\naudio:x:29:www-data\nnogroup:x:65534:\n'

/** A member of a test's archive; what is not said is ordinary. */
export function member(
  entry: Partial<TarEntry> & { readonly path: string },
  content: string | Uint8Array = '',
): TarSource {
  const data = Buffer.from(content)
  const type = entry.type ?? (entry.link === undefined ? 'file' : 'symlink')
  const mtime = { seconds: 1_700_000_000, nanoseconds: 0 }
  const mode = type === 'directory' ? 0o755 : 0o644
  return { entry: { mode, uid: 0, gid: 0, mtime, ...entry, type, size: data.length }, data: [data] }
}

export async function tarOf(...members: readonly TarSource[]): Promise<Buffer> {
  return buffer(writeTar(members))
}

/** The image, with `more` on top. */
export async function busyboxTar(...more: readonly TarSource[]): Promise<Buffer> {
  const applets = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  const directories = ['bin', 'etc', 'root', 'var', 'var/www', 'home', 'dev', 'proc', 'sys', 'usr', 'usr/bin']
  return tarOf(
    ...directories.map((path) => member({ path, type: 'directory' })),
    member({ path: 'tmp', type: 'directory', mode: 0o1777 }),
    member({ path: 'bin/busybox', mode: 0o755 }, readFileSync(BUSYBOX)),
    ...applets
      .filter((name) => name !== 'busybox')
      .map((name) => member({ path: `bin/${name}`, link: 'busybox' })),
    member({ path: 'etc/passwd' }, PASSWD),
    member({ path: 'etc/group' }, GROUP),
    ...more,
  )
}

/** Debian with its redis, made once per machine. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'

const images = join(import.meta.dirname, '../../.cache/images')
const exclusions = ['man', 'doc', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`)

/** An archive of its root filesystem; undefined where Debian's mirror cannot be reached. */
export function redisArchive(): string | undefined {
  const archive = join(images, 'redis.tar')
  if (existsSync(archive)) return archive
  mkdirSync(images, { recursive: true })
  const partial = `${archive}.part-${process.pid}`
  const args = ['--quiet', '--format=tar', '--variant=minbase', '--include=redis-server', ...exclusions]
  const { status } = spawnSync('mmdebstrap', [...args, 'bookworm', partial], { stdio: 'ignore' })
  if (status !== 0) return undefined
  renameSync(partial, archive)
  return archive
}

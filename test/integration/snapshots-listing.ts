import { createHash } from 'node:crypto'
import type { TreeRoot, Trees } from '#os/tree.ts'

/**
 * One line per name below `root`: type, path, mode, owner, time, target, content and extended attributes, as the native
 * reader sees them. Hard links name the first of their names, so that identity is compared too.
 */
export async function listing(trees: Trees, root: TreeRoot): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const { record, data } of trees.read(root, '/', { name: '' })) {
    const hash = createHash('sha256')
    for await (const chunk of data) hash.update(chunk)
    const { mtime, major = 0, minor = 0 } = record
    const xattrs = [...(record.xattrs ?? [])]
      .map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
      .sort()
    lines.push(
      [
        record.type,
        JSON.stringify(record.path),
        record.mode.toString(8),
        `${record.uid}:${record.gid}`,
        `${mtime.seconds}.${mtime.nanoseconds}`,
        record.link ?? '',
        `${major}:${minor}`,
        record.type === 'file' ? `${record.size} ${hash.digest('hex').slice(0, 16)}` : '',
        ...xattrs,
      ].join(' '),
    )
  }
  return lines.sort()
}

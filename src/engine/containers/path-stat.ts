import type { TreeRecord } from '#os/tree.ts'
import type { PathStat } from '../services.ts'

/** Go's os.FileMode, which is what `X-Docker-Container-Path-Stat` carries. */
const GO_TYPE: Readonly<Record<TreeRecord['type'], number>> = {
  directory: 2 ** 31,
  file: 0,
  hardlink: 0,
  symlink: 2 ** 27,
  block: 2 ** 26,
  char: 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
  whiteout: 2 ** 26 + 2 ** 21,
}
const GO_SETUID = 2 ** 23
const GO_SETGID = 2 ** 22
const GO_STICKY = 2 ** 20

export function pathStat(record: TreeRecord, name: string): PathStat {
  const { mode } = record
  return {
    name,
    size: record.size,
    mode:
      GO_TYPE[record.type] +
      (mode & 0o777) +
      ((mode & 0o4000) === 0 ? 0 : GO_SETUID) +
      ((mode & 0o2000) === 0 ? 0 : GO_SETGID) +
      ((mode & 0o1000) === 0 ? 0 : GO_STICKY),
    mtime: timeText(record.mtime),
    linkTarget: record.type === 'symlink' ? (record.link ?? '') : '',
  }
}

/** RFC 3339 with as many fractional digits as needed. */
function timeText({ seconds, nanoseconds }: TreeRecord['mtime']): string {
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19)
  const fraction = String(nanoseconds).padStart(9, '0').replace(/0+$/, '')
  return `${whole}${fraction === '' ? '' : `.${fraction}`}Z`
}

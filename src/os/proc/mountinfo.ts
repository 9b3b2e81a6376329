/** A line of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export interface MountEntry {
  readonly id: number
  readonly parent: number
  readonly device: string
  /** Directory of the filesystem that is the root of the mount. */
  readonly root: string
  readonly mountPoint: string
  readonly options: readonly string[]
  /** `shared:1`, `master:2` … */
  readonly propagation: readonly string[]
  readonly type: string
  readonly source: string
  readonly superOptions: readonly string[]
}

export function parseMountinfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ')
    const separator = fields.indexOf('-', 6)
    const [id, parent, device, root, mountPoint, options] = fields
    const [type, source, superOptions] = fields.slice(separator + 1)
    if (separator === -1 || device === undefined || root === undefined || mountPoint === undefined) return []
    return [
      {
        id: Number(id),
        parent: Number(parent),
        device,
        root: unescape(root),
        mountPoint: unescape(mountPoint),
        options: (options ?? '').split(','),
        propagation: fields.slice(6, separator),
        type: type ?? '',
        source: unescape(source ?? ''),
        superOptions: (superOptions ?? '').split(','),
      },
    ]
  })
}

/** The kernel writes space, tab, newline and backslash in octal; what follows may be any byte of UTF-8. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_match, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}

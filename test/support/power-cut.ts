/**
 * A disk that can lose its power: an ext4 on a loop device. What the kernel has not written to the device yet is not in
 * the file behind it, so a copy of that file is the disk after a power cut. Nothing is written for the sake of time
 * (commit=600), and metadata need not wait for data (data=writeback): what was not synced is lost, or full of zeros.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export class LossyDisk implements Disposable {
  /** Where it is mounted. */
  readonly path: string
  readonly #file: string

  private constructor(directory: string, file: string) {
    this.#file = file
    this.path = join(directory, 'mnt')
    mkdirSync(this.path, { recursive: true })
    execFileSync('mount', ['-o', 'loop,commit=600,data=writeback,barrier=1', file, this.path])
  }

  /** A new one of `size` bytes below `directory`. */
  static make(directory: string, size: number): LossyDisk {
    mkdirSync(directory, { recursive: true })
    const file = join(directory, 'disk')
    writeFileSync(file, '')
    truncateSync(file, size)
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', '-E', 'lazy_itable_init=0', file])
    return new LossyDisk(directory, file)
  }

  /** The disk as it would be after a power cut now, mounted below `directory`. Nobody may be writing. */
  afterCut(directory: string): LossyDisk {
    mkdirSync(directory, { recursive: true })
    const copy = join(directory, 'disk')
    execFileSync('cp', ['--sparse=always', this.#file, copy])
    return new LossyDisk(directory, copy)
  }

  [Symbol.dispose](): void {
    execFileSync('umount', [this.path])
    rmSync(this.#file, { force: true })
  }
}

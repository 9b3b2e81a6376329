import type { Helper, RunResult } from './helper.ts'

/**
 * A helper that does nothing but write down what it was asked for, as lines like `mount-erofs a.erofs a.tar /mnt/a`.
 * `onCall` may throw to let an operation fail; `onRun` answers for programs, which succeed silently without it.
 */
export class FakeHelper implements Helper {
  readonly pid = 1
  readonly trace: string[] = []
  onCall: (line: string) => void | Promise<void> = () => undefined
  onRun: (argv: readonly string[], stdin: string) => Partial<RunResult> = () => ({})
  #nextPid = 1000

  async spawnShim(dir: string): Promise<{ readonly pid: number }> {
    await this.#note('spawn-shim', dir)
    return { pid: this.#nextPid++ }
  }

  mountErofs(index: string, tar: string, target: string): Promise<void> {
    return this.#note('mount-erofs', index, tar, target)
  }

  mountView(target: string, lower: readonly string[]): Promise<void> {
    return this.#note('mount-view', target, ...lower)
  }

  mountCgroupHugetlb(): Promise<void> {
    return this.#note('mount-cgroup-hugetlb')
  }

  unmount(target: string): Promise<void> {
    return this.#note('umount', target)
  }

  removeTree(path: string): Promise<void> {
    return this.#note('remove-tree', path)
  }

  syncfs(path: string): Promise<void> {
    return this.#note('syncfs', path)
  }

  lock(path: string): Promise<void> {
    return this.#note('lock', path)
  }

  async run(argv: readonly string[], options: { readonly stdin?: string } = {}): Promise<RunResult> {
    await this.#note('run', ...argv)
    return { code: 0, stdout: '', stderr: '', ...this.onRun(argv, options.stdin ?? '') }
  }

  async kill(pid: number, startTime: string, signal: number): Promise<boolean> {
    await this.#note('kill', String(pid), startTime, String(signal))
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#note('end')
  }

  async #note(...words: readonly string[]): Promise<void> {
    const line = words.join(' ')
    this.trace.push(line)
    await this.onCall(line)
  }
}

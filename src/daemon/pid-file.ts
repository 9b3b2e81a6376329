import { readFile, rm, writeFile } from 'node:fs/promises'

/** Writes the daemon's pid for whoever supervises it; disposing removes it again, unless it is another one's by now. */
export async function pidFile(path: string, pid: number = process.pid): Promise<AsyncDisposable> {
  await writeFile(path, `${pid}\n`, { mode: 0o644 })
  return {
    async [Symbol.asyncDispose]() {
      const text = await readFile(path, 'utf8').catch(() => '')
      if (Number(text) === pid) await rm(path, { force: true })
    },
  }
}

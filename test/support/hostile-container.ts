import { once } from 'node:events'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess, startProcess } from '#os/process.ts'
import type { StartedProcess } from '#os/process.ts'

/** Compiles the program that exchanges two names for ever (native/tests/tree-exchange.c) to `target`. */
export async function buildExchange(target: string): Promise<void> {
  const source = join(import.meta.dirname, '../../native/tests/tree-exchange.c')
  const { code, stderr } = await runProcess(['gcc', '-O1', '-static', '-o', target, source])
  if (code !== 0) throw new Error(stderr)
}

/** A program that says `ready` and works until it is disposed. */
export async function attacker(
  argv: readonly [string, ...string[]],
): Promise<AsyncDisposable & { readonly pid: number }> {
  const child = await startProcess(argv)
  await saysReady(child)
  return {
    pid: child.pid,
    [Symbol.asyncDispose]: async () => {
      child.stdin.end()
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

/**
 * A process in a mount namespace of its own with `rootfs` as its root, as a container has it, running `argv` there.
 * `rootfs` gets /bin/busybox.
 */
export async function container(
  rootfs: string,
  argv: readonly string[],
): Promise<AsyncDisposable & { readonly pid: number }> {
  await mkdir(join(rootfs, 'bin'), { recursive: true })
  await mkdir(join(rootfs, 'old'), { recursive: true })
  await copyFile('/bin/busybox', join(rootfs, 'bin/busybox'))
  const script = [
    'mount --make-rprivate /',
    'mount --bind "$0" "$0"',
    'cd "$0"',
    'pivot_root . old',
    '/bin/busybox umount -l /old',
    'exec "$@"',
  ].join(' && ')
  return attacker(['unshare', '--mount', 'sh', '-c', script, rootfs, ...argv])
}

async function saysReady(child: StartedProcess): Promise<void> {
  const [chunk] = (await Promise.race([once(child.stdout, 'data'), child.exited.then(() => [])])) as [Buffer?]
  if (chunk?.toString().startsWith('ready') === true) return
  throw new Error(`the attacker did not start: ${String(child.stderr.read())}`)
}

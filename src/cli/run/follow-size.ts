import type { Io } from '../io.ts'

/** Rows and columns of the terminal on stdout; undefined when it is none. */
export function terminalSize({ stdout }: Io): readonly [number, number] | undefined {
  const { isTTY, rows, columns } = stdout
  return isTTY === true && rows !== undefined && columns !== undefined ? [rows, columns] : undefined
}

/**
 * Tells the other side the size of the terminal now and whenever it changes, until disposed. A failure does not
 * matter: the process may be gone already.
 */
export function followSize(io: Io, resize: (rows: number, columns: number) => Promise<void>): Disposable {
  const tell = (): void => {
    const size = terminalSize(io)
    if (size !== undefined) resize(...size).catch(() => undefined)
  }
  tell()
  io.stdout.on('resize', tell)
  return { [Symbol.dispose]: () => void io.stdout.off('resize', tell) }
}

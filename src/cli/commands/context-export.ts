import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isErrno, messageOf } from '#base/errors.ts'
import { command } from '../command.ts'
import { exportContext } from '../contexts/archive.ts'
import { ContextStore } from '../contexts/context-store.ts'
import { commandError } from '../errors.ts'

export default command({
  usage: 'CONTEXT [FILE|-]',
  summary: 'Write a context as a tar archive into FILE, or with - to stdout',
  min: 1,
  max: 2,
  local: true,
  completes: 'contexts',
  flags: {},
  async run({ args: [name = '', file = `${name}.dockercontext`] }, { config, io, err }) {
    const archive = exportContext(new ContextStore(config).read(name))
    if (file === '-') {
      if (io.stdout.isTTY === true) {
        throw commandError('cowardly refusing to export to a terminal, specify a file path')
      }
      await pipeline(Readable.from(archive), io.stdout, { end: false })
      return
    }
    await writeNew(file, archive)
    err(`Written file "${file}"\n`)
  },
})

/** Keys may be in it: readable by its owner alone, and no file is replaced. */
async function writeNew(file: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    await using handle = await open(file, 'wx', 0o600)
    for await (const chunk of archive) await handle.write(chunk)
  } catch (error) {
    if (isErrno(error, 'EEXIST'))
      throw commandError(`cannot write ${file}: it exists already; remove it or choose another name`)
    throw commandError(`cannot write ${file}: ${messageOf(error)}`, error)
  }
}

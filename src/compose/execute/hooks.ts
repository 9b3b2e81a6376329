import type { Client } from '#client/client.ts'
import { demultiplex } from '#client/stdcopy.ts'
import { environmentOf } from '../create/body.ts'
import { present } from '../create/present.ts'
import { projectError } from '../document/errors.ts'
import type { Hook } from '../model/project.ts'

/** Runs the commands of `post_start` or `pre_stop` in a container, one after the other; rejects when one fails. */
export async function runHooks(
  client: Client,
  container: { readonly id: string; readonly name: string },
  hooks: readonly Hook[],
  when: string,
): Promise<void> {
  for (const hook of hooks) {
    const { Id } = await client.execs.create(container.id, {
      ...present({
        User: hook.user,
        Privileged: hook.privileged,
        WorkingDir: hook.working_dir,
        Env: environmentOf(hook.environment),
      }),
      Cmd: hook.command,
      AttachStdout: true,
      AttachStderr: true,
    })
    const id = Id ?? ''
    const { stream } = await client.execs.start(id, { tty: false })
    stream.end()
    let output = ''
    for await (const { data } of demultiplex(stream)) output += Buffer.from(data).toString()
    const { ExitCode } = await client.execs.inspect(id)
    if ((ExitCode ?? 0) === 0) continue
    throw projectError(
      `container ${container.name}: ${when} hook ${hook.command.join(' ')} exited with status code ${ExitCode}${output === '' ? '' : `: ${output.trim()}`}`,
    )
  }
}

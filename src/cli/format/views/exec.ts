import { shortId } from '#base/ids.ts'
import type { ExecInspect } from '#client/execs.ts'
import type { Headers } from '../list.ts'
import { view, type View } from '../template/view.ts'
import { ellipsis } from '../units.ts'

export const execTable = 'table {{.ID}}\\t{{.Container}}\\t{{.Command}}\\t{{.User}}\\t{{.PID}}'

export const execHeaders: Headers = {
  ID: 'EXEC ID',
  Container: 'CONTAINER',
  Command: 'COMMAND',
  User: 'USER',
  PID: 'PID',
  TTY: 'TTY',
}

const COMMAND_WIDTH = 20

export function execView(
  { exec, container }: { readonly exec: ExecInspect; readonly container: string },
  { trunc }: { readonly trunc: boolean },
): View {
  const { entrypoint = '', arguments: args, user = '', tty = false } = exec.ProcessConfig ?? {}
  const words = [entrypoint, ...(args ?? [])].join(' ')
  return view('*exec.execContext', {
    ID: () => (trunc ? shortId(exec.ID ?? '') : (exec.ID ?? '')),
    Container: () => container,
    Command: () => `"${trunc ? ellipsis(words, COMMAND_WIDTH) : words}"`,
    User: () => user,
    PID: () => String(exec.Pid ?? ''),
    TTY: () => String(tty),
  })
}

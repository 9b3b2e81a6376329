import { EngineError } from '#base/errors.ts'
import { buildExecProcess, type SpecMachine } from '#runtime/spec.ts'
import { resolveUser } from '#runtime/users.ts'
import type { ExecProcess } from '../exec/execs.ts'
import type { Accounts } from './accounts.ts'
import { processEnvironment, replaceEnvironment } from './config/environment.ts'
import { rlimitsOf, securityOf } from './spec-input.ts'

/** The OCI process of an exec: the container's own user, environment and limits unless the request says otherwise. */
export function execProcess(accounts: Accounts, machine: SpecMachine): ExecProcess {
  return async (container, body, consoleSize) => {
    const { config, hostConfig } = container
    const { passwd, group } = await accounts.of(container)
    const cwd = body.WorkingDir || config.WorkingDir || ''
    if (cwd !== '' && !cwd.startsWith('/')) {
      throw new EngineError('invalid_argument', `Cwd must be an absolute path: ${cwd}`, {
        code: 'EXEC_WORKDIR',
      })
    }
    const security = securityOf(hostConfig)
    const [rows = 0, columns = 0] = consoleSize ?? []
    const base = processEnvironment(
      { ...config, Tty: body.Tty === true },
      config.Hostname || container.id.slice(0, 12),
    )
    return buildExecProcess({
      args: body.Cmd ?? [],
      env: replaceEnvironment(base, body.Env ?? []),
      cwd,
      user: resolveUser(body.User || config.User || '', passwd, group, hostConfig.GroupAdd ?? []),
      tty: body.Tty === true,
      consoleSize: rows > 0 && columns > 0 ? { rows, columns } : undefined,
      security: { ...security, privileged: security.privileged || body.Privileged === true },
      rlimits: rlimitsOf(hostConfig),
      oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
      machine,
    })
  }
}

import { join } from 'node:path'

/** Where the files of one container are. */
export interface ContainerPaths {
  /** Durable: logs, generated /etc files, exit record. */
  readonly data: string
  readonly log: string
  /** How far the log was taken elsewhere. */
  readonly logProgress: string
  readonly hosts: string
  readonly hostname: string
  readonly resolvConf: string
  readonly exitRecord: string
  /** Gone with the machine's next boot: bundle, shim's socket, root filesystem's mount point. */
  readonly runtime: string
  readonly rootfs: string
  readonly spec: string
  execFile(execId: string): string
}

export type PathsOf = (id: string) => ContainerPaths

/** Directory of the containers' runtime files; recovery finds them by listing it. */
export function runtimeDirectory(execRoot: string): string {
  return join(execRoot, 'c')
}

/** Ids are cut in the runtime directory: a unix socket's path has 107 bytes at most. */
const RUNTIME_ID_LENGTH = 32

export function containerPaths(dataRoot: string, execRoot: string): PathsOf {
  return (id) => {
    const data = join(dataRoot, 'containers', id)
    const runtime = join(runtimeDirectory(execRoot), id.slice(0, RUNTIME_ID_LENGTH))
    return {
      data,
      log: join(data, `${id}-json.log`),
      logProgress: join(data, 'log-progress'),
      hosts: join(data, 'hosts'),
      hostname: join(data, 'hostname'),
      resolvConf: join(data, 'resolv.conf'),
      exitRecord: join(data, 'exit'),
      runtime,
      rootfs: join(runtime, 'rootfs'),
      spec: join(runtime, 'config.json'),
      execFile: (execId) => join(runtime, 'exec', `${execId}.json`),
    }
  }
}

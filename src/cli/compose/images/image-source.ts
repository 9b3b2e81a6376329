import type { ImageSource } from '#compose/execute/performer.ts'
import type { Project, Service } from '#compose/model/project.ts'
import { pullImage } from '../../pull.ts'
import type { Progress } from '../progress/progress.ts'
import type { ComposeContext } from '../subcommand.ts'

interface Options {
  readonly project: Project
  readonly progress: Progress
  readonly quietPull?: boolean
}

/** Images from registries, with the credentials of this client, and from builds. */
export function imageSource(options: Options, context: ComposeContext): ImageSource {
  const { progress } = options
  return {
    async pull(image, service, signal) {
      const inner = { ...context, signal }
      await pullImage(image, { platform: service.platform, quiet: true, to: context.io.stderr }, inner)
    },
    async build(name: string, service: Service, signal: AbortSignal) {
      const { buildService } = await import('./build-service.ts')
      progress.pause()
      await buildService(options.project, name, service, { ...context, signal })
    },
  }
}

import { dependencyGraph, inDependencyOrder } from '#compose/model/graph.ts'
import { imageOf } from '#compose/model/names.ts'
import { commandError } from '../../errors.ts'
import { bool, list, string } from '../../flags.ts'
import { buildService } from '../images/build-service.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Build images',
  flags: {
    'build-arg': list('Value of an ARG (key=value)'),
    builder: string('Has no effect', { hidden: true }),
    check: bool('Only check Dockerfiles'),
    memory: string('Memory limit of RUN', { short: 'm' }),
    'no-cache': bool('Do every step again'),
    print: bool('Print what would be built'),
    provenance: string('Attest how images were made'),
    pull: bool('Ask for newer base images'),
    push: bool('Send images to their registries'),
    quiet: bool('Without showing progress', { short: 'q' }),
    sbom: string('Attest what is in images'),
    ssh: string('Agent for RUN (default, or id=socket|key[,key])'),
    'with-dependencies': bool('Images of what the services need, too'),
  },
  async run({ args, flags }, context) {
    const project = await context.source.load(args, { dependencies: flags['with-dependencies'] })
    const order = inDependencyOrder(dependencyGraph(project.services))
    const built = order.filter((name) => project.services[name]?.build !== undefined)
    if (args.length > 0 && built.length === 0)
      throw commandError(
        `nothing to build: ${args.join(', ')} ${args.length === 1 ? 'has' : 'have'} no build section`,
      )
    const choices = {
      args: flags['build-arg'],
      noCache: flags['no-cache'],
      pull: flags.pull,
      push: flags.push,
      quiet: flags.quiet,
      ssh: flags.ssh,
      memory: flags.memory,
      check: flags.check,
      provenance: flags.provenance,
      sbom: flags.sbom,
    }
    for (const name of built) {
      const service = project.services[name]
      if (service === undefined) continue
      if (context.globals['dry-run'] || flags.print)
        context.out(`build image ${imageOf(project.name, name, service)}: it is asked for\n`)
      else await buildService(project, name, service, context, choices)
    }
  },
})

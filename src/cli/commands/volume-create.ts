import { command } from '../command.ts'
import { commandError } from '../errors.ts'
import { list, map, string } from '../flags.ts'
import { clusterFlags, clusterVolumeSpec } from '../create/cluster-volume.ts'
import { keyValues } from '../create/key-values.ts'

export default command({
  usage: '[OPTIONS] [VOLUME]',
  summary: 'Create a volume, under a name of its own when none is given',
  min: 0,
  max: 1,
  flags: {
    ...clusterFlags,
    driver: string('Driver of the volume', { short: 'd', initial: 'local' }),
    label: list('Label (key[=value])'),
    name: string('Name of the volume', { hidden: true }),
    opt: map('Option for the driver (key=value)', { short: 'o' }),
  },
  async run({ args: [argument], flags, changed }, { client, out }) {
    if (argument !== undefined && flags.name !== '') {
      throw commandError(
        'conflicting options: cannot specify a volume-name through both --name and as a positional arg',
      )
    }
    const ClusterVolumeSpec = clusterVolumeSpec(flags, changed)
    const { Name } = await client.volumes.create({
      Name: argument ?? flags.name,
      Driver: flags.driver,
      DriverOpts: flags.opt,
      Labels: keyValues(flags.label),
      ...(ClusterVolumeSpec === undefined ? {} : { ClusterVolumeSpec }),
    })
    out(`${Name}\n`)
  },
})

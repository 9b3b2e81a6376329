import { command } from '../command.ts'
import { commandError } from '../errors.ts'
import { string } from '../flags.ts'

export default command({
  usage: '[OPTIONS] VOLUME',
  summary: 'Change a volume of a cluster',
  min: 1,
  max: 1,
  completes: 'volumes',
  flags: {
    availability: string('Whether containers may use it', {
      initial: 'active',
      completes: ['active', 'pause', 'drain'],
    }),
  },
  async run({ args: [name = ''], flags, changed }, { client, out }) {
    const { ClusterVolume } = await client.volumes.inspect(name)
    if (ClusterVolume === undefined || ClusterVolume === null) {
      throw commandError('Can only update cluster volumes')
    }
    if (changed.has('availability')) {
      const Spec = { ...ClusterVolume.Spec, Availability: flags.availability }
      await client.volumes.update(ClusterVolume.ID ?? name, Spec, ClusterVolume.Version?.Index ?? 0)
    }
    out(`${name}\n`)
  },
})

import { isKind } from '#base/errors.ts'
import { command, type Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { bool, string } from '../flags.ts'
import { inspectAll } from '../inspect.ts'

type Finder = (ref: string, context: Context, size: boolean) => Promise<unknown>

/** Kinds of objects in the order in which a reference is looked up. */
const finders: Readonly<Record<string, Finder>> = {
  container: (ref, { client }, size) => client.containerQuery.inspect(ref, { size }),
  image: (ref, { client }) => client.images.inspect(ref),
  network: (ref, { client }) => client.networks.inspect(ref),
  volume: (ref, { client }) => client.volumes.inspect(ref),
}

export default command({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Show everything about containers, images, networks and volumes',
  min: 1,
  completes: 'containers',
  flags: {
    format: string("'json', or a Go template", { short: 'f' }),
    size: bool('Compute sizes of containers', { short: 's' }),
    type: string('Look only among these', { completes: Object.keys(finders) }),
  },
  async run({ args, flags, changed }, context) {
    const { type, size } = flags
    if (changed.has('type') && finders[type] === undefined) {
      throw commandError(
        `"${type}" is not a valid value for --type; use one of ${Object.keys(finders).join(', ')}`,
      )
    }
    const kinds =
      type === '' ? Object.values(finders) : Object.values({ only: finders[type] ?? finders['container'] })
    return inspectAll(args, flags.format, context, async (ref) => {
      for (const find of kinds) {
        try {
          return await find?.(ref, context, size)
        } catch (error) {
          if (!isKind(error, 'not_found') || kinds.length === 1) throw error
        }
      }
      throw commandError(`error: no such object: ${ref}`)
    })
  },
})

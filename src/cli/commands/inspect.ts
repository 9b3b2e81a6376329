import { isKind } from '#base/errors.ts'
import { command, type Context } from '../command.ts'
import { commandError, errorText } from '../errors.ts'
import { bool, string } from '../flags.ts'
import { inspectAll, olderContainer } from '../inspect.ts'
import { forms, recreate } from '../recreate/recreate.ts'

type Finder = (ref: string, context: Context, size: boolean) => Promise<unknown>

/** Kinds of objects in the order in which a reference is looked up. */
const finders: Readonly<Record<string, Finder>> = {
  container: (ref, { client }, size) => client.containerQuery.inspect(ref, { size }),
  image: (ref, { client }) => client.images.inspect(ref),
  network: (ref, { client }) => client.networks.inspect(ref),
  volume: (ref, { client }) => client.volumes.inspect(ref),
}

/** Kinds that berth has none of; another engine may, and ours says why not. */
const foreign: Readonly<Record<string, Finder>> = {
  config: at('/configs/', ''),
  node: at('/nodes/', ''),
  plugin: at('/plugins/', '/json'),
  secret: at('/secrets/', ''),
  service: at('/services/', ''),
  task: at('/tasks/', ''),
}

function at(before: string, after: string): Finder {
  return (ref, { client }) => client.transport.json('GET', `${before}${encodeURIComponent(ref)}${after}`)
}

const types = Object.keys({ ...finders, ...foreign }).sort()

export default command({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Show everything about containers, images, networks and volumes',
  min: 1,
  completes: 'objects',
  flags: {
    as: string('Show what would make it again: a berth run line, or a Compose file', { completes: forms }),
    format: string("'json', or a Go template", { short: 'f' }),
    size: bool('Compute sizes of containers', { short: 's' }),
    type: string('Look only among these', { completes: types }),
  },
  async run({ args, flags, changed }, context) {
    const { type, size } = flags
    if (flags.as !== '') {
      context.out(await recreate(args, flags.as, context))
      return 0
    }
    if (changed.has('type') && !types.includes(type)) {
      throw commandError(
        `unknown type: "${type}": must be one of ${types.map((each) => `"${each}"`).join(', ')}`,
      )
    }
    const only = finders[type] ?? foreign[type]
    const find = async (ref: string): Promise<unknown> => {
      if (only !== undefined) return only(ref, context, size)
      return anyOf(ref, size, context)
    }
    const older =
      type === '' || type === 'container' ? (ref: string) => olderContainer(ref, context) : undefined
    return inspectAll(args, flags.format, context, find, older)
  },
})

async function anyOf(ref: string, size: boolean, context: Context): Promise<unknown> {
  for (const find of Object.values(finders)) {
    try {
      return await find(ref, context, size)
    } catch (error) {
      if (!isKind(error, 'not_found') && !hasReference(error)) throw error
    }
  }
  throw commandError(`Error: No such object: ${ref}`)
}

/** What is no name of an image may be one of something else. */
function hasReference(error: unknown): boolean {
  return isKind(error, 'invalid_argument') && errorText(error).includes('invalid reference format')
}

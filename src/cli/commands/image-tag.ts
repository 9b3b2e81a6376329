import { command } from '../command.ts'
import { commandError } from '../errors.ts'
import { parseReference, repositoryOf, withDefaultTag } from '#oci/reference.ts'

export default command({
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Give an image another name',
  min: 2,
  max: 2,
  completes: 'images',
  flags: {},
  async run({ args: [source = '', target = ''] }, { client }) {
    const reference = withDefaultTag(parseReference(target))
    if (reference.digest !== undefined) {
      throw commandError('refusing to create a tag with a digest reference')
    }
    await client.images.tag(source, repositoryOf(reference), reference.tag ?? '')
  },
})

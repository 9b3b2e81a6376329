import { formatReference } from '#oci/reference.ts'
import { command } from '../command.ts'
import { each } from '../each.ts'
import { ListStore } from '../manifests/list-store.ts'
import { manifestReference, noSuchManifest } from '../manifests/names.ts'

export default command({
  usage: 'MANIFEST_LIST [MANIFEST_LIST...]',
  summary: 'Forget manifest lists that were begun here; registries keep theirs',
  min: 1,
  local: true,
  completes: 'none',
  flags: {},
  async run({ args }, context) {
    const store = new ListStore(context.config)
    return each(args, context, async (name) => {
      const list = manifestReference(name)
      if (!(await store.remove(list))) throw noSuchManifest(formatReference(list))
      return ''
    })
  },
})

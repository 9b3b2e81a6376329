import { formatReference } from '#oci/reference.ts'
import { command } from '../command.ts'
import { commandError } from '../errors.ts'
import { bool } from '../flags.ts'
import { ListStore } from '../manifests/list-store.ts'
import { insecure, manifestReference, noSuchManifest } from '../manifests/names.ts'
import { pushList } from '../manifests/push.ts'
import { Registries } from '../manifests/registries.ts'

export default command({
  usage: '[OPTIONS] MANIFEST_LIST',
  summary: 'Send a manifest list to its registry, and print its digest',
  min: 1,
  max: 1,
  local: true,
  completes: 'none',
  flags: {
    insecure,
    purge: bool('Forget the list here once it is there', { short: 'p' }),
  },
  async run({ args: [name = ''], flags: { insecure: unsafe, purge } }, context) {
    const list = manifestReference(name)
    const store = new ListStore(context.config)
    const images = await store.images(list)
    if (images === undefined) throw noSuchManifest(formatReference(list))
    if (list.digest !== undefined) {
      throw commandError('cannot push a digest reference; create the list under a tag')
    }
    await using registries = new Registries(context, { insecure: unsafe, references: [list] })
    const digest = await pushList(registries, list, images, context)
    if (purge) await store.remove(list)
    context.out(`${digest}\n`)
  },
})

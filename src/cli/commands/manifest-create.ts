import { formatReference, type Reference } from '#oci/reference.ts'
import { command, type Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { bool } from '../flags.ts'
import { fetchImage } from '../manifests/fetch.ts'
import type { ListedImage } from '../manifests/listed-image.ts'
import { ListStore } from '../manifests/list-store.ts'
import { insecure, manifestReference } from '../manifests/names.ts'
import { Registries } from '../manifests/registries.ts'
import { sideBySide } from '../manifests/side-by-side.ts'

export default command({
  usage: '[OPTIONS] MANIFEST_LIST MANIFEST [MANIFEST...]',
  summary: 'Begin a manifest list of images that are in a registry; it is kept here until it is pushed',
  min: 2,
  local: true,
  completes: 'images',
  flags: {
    amend: bool('Add to a list that is here already; what it has of an image stays', { short: 'a' }),
    insecure,
  },
  async run({ args: [name = '', ...names], flags: { amend, insecure: unsafe } }, context) {
    const list = manifestReference(name, 'error parsing name for manifest list')
    const references = distinct(names.map((each) => manifestReference(each)))
    const store = new ListStore(context.config)
    if (!amend && (await store.images(list)) !== undefined) throw existing(list)
    const found = await Promise.all(references.map((reference) => store.image(list, reference)))
    const missing = references.filter((_, i) => found[i] === undefined)
    const images = await fetchAll(missing, unsafe, context)
    const all = [...found.filter((image) => image !== undefined), ...images]
    if (!(await store.create(list, all))) {
      if (!amend) throw existing(list)
      for (const image of images) await store.put(list, image)
    }
    context.out(`Created manifest list ${formatReference(list)}\n`)
  },
})

async function fetchAll(
  references: readonly Reference[],
  unsafe: boolean,
  context: Context,
): Promise<ListedImage[]> {
  if (references.length === 0) return []
  await using registries = new Registries(context, { insecure: unsafe, references })
  return await sideBySide(references, context.signal, (reference, signal) =>
    fetchImage(registries, reference, signal),
  )
}

function existing(list: Reference): Error {
  return commandError(
    'refusing to amend an existing manifest list with no --amend flag; ' +
      `'berth manifest rm ${formatReference(list)}' forgets it`,
  )
}

function distinct(references: readonly Reference[]): Reference[] {
  return [...new Map(references.map((each) => [formatReference(each), each])).values()]
}

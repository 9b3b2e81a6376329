import { formatReference, type Reference } from '#oci/reference.ts'
import { command, type Context } from '../command.ts'
import { bool } from '../flags.ts'
import { describe, fetchImages, fetchManifest, indexOf } from '../manifests/fetch.ts'
import { indentJson } from '../manifests/json-text.ts'
import { checkRegistry, listDocument } from '../manifests/list-document.ts'
import { encodeListedImage, type ListedImage, readPlatform } from '../manifests/listed-image.ts'
import { ListStore } from '../manifests/list-store.ts'
import { insecure, manifestReference, noSuchManifest } from '../manifests/names.ts'
import { Registries } from '../manifests/registries.ts'

export default command({
  usage: '[OPTIONS] [MANIFEST_LIST] MANIFEST',
  summary:
    'Show a manifest or a manifest list: one begun here, or as a registry has it; with MANIFEST_LIST, an image of one begun here',
  min: 1,
  max: 2,
  local: true,
  completes: 'images',
  flags: {
    insecure,
    verbose: bool('Every image with its reference, digest and platform', { short: 'v' }),
  },
  async run({ args, flags: { insecure: unsafe, verbose } }, context) {
    const [first, second] = args.map((name) => manifestReference(name))
    if (first === undefined) return
    const text =
      second === undefined
        ? ((await ofListHere(first, verbose, context)) ??
          (await ofRegistry(first, { unsafe, verbose }, context)))
        : await ofImageHere(first, second, verbose, context)
    context.out(`${text}\n`)
  },
})

async function ofImageHere(
  list: Reference,
  reference: Reference,
  verbose: boolean,
  { config }: Context,
): Promise<string> {
  const image = await new ListStore(config).image(list, reference)
  if (image === undefined) throw noSuchManifest(formatReference(reference))
  return verbose ? verboseText(encodeListedImage(image)) : manifestText(image.bytes)
}

async function ofListHere(
  list: Reference,
  verbose: boolean,
  { config }: Context,
): Promise<string | undefined> {
  const images = await new ListStore(config).images(list)
  if (images === undefined) return undefined
  if (verbose) return verboseList(images)
  checkRegistry(list, images)
  return listDocument(images).text
}

async function ofRegistry(
  reference: Reference,
  { unsafe, verbose }: { readonly unsafe: boolean; readonly verbose: boolean },
  context: Context,
): Promise<string> {
  const { signal } = context
  await using registries = new Registries(context, { insecure: unsafe, references: [reference] })
  const fetched = await fetchManifest(registries, reference, signal)
  const index = indexOf(fetched)
  if (index === undefined) {
    if (!verbose) return manifestText(fetched.bytes)
    return verboseText(encodeListedImage(await describe(registries, { reference, fetched }, signal)))
  }
  if (verbose) return verboseList(await fetchImages(registries, reference, index, signal))
  return listDocument(index.manifests.map((entry) => ({ ...entry, platform: readPlatform(entry.platform) })))
    .text
}

function manifestText(bytes: Uint8Array): string {
  return indentJson(Buffer.from(bytes).toString(), '\t')
}

function verboseList(images: readonly ListedImage[]): string {
  return verboseText(`[${images.map(encodeListedImage).join(',')}]`)
}

function verboseText(json: string): string {
  return indentJson(json, '\t')
}

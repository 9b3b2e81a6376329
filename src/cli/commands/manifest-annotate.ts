import { formatReference } from '#oci/reference.ts'
import { command } from '../command.ts'
import { csvFields } from '../create/csv.ts'
import { commandError } from '../errors.ts'
import { type Flag, string } from '../flags.ts'
import { readPlatform } from '../manifests/listed-image.ts'
import { ListStore } from '../manifests/list-store.ts'
import { manifestReference } from '../manifests/names.ts'
import { isKnownPlatform, knownProcessors, knownSystems } from '../manifests/platforms.ts'

const osFeatures: Flag<readonly string[]> = {
  type: 'strings',
  help: 'Features of the operating system that it needs besides',
  initial: [],
  isSwitch: false,
  accept: (text, previous) => [...previous, ...(text === '' ? [] : csvFields(text))],
}

export default command({
  usage: '[OPTIONS] MANIFEST_LIST MANIFEST',
  summary:
    'Correct for which platform an image of a manifest list is; only the list that is kept here changes',
  min: 2,
  max: 2,
  local: true,
  completes: 'images',
  flags: {
    arch: string('Processor it is for, in the words of Go (amd64, arm64)', { completes: knownProcessors }),
    os: string('Operating system it is for (linux, windows)', { completes: knownSystems }),
    'os-features': osFeatures,
    'os-version': string('Version of the operating system'),
    variant: string('Variant of the processor (v7)', { completes: ['v5', 'v6', 'v7', 'v8'] }),
  },
  async run({ args: [listName = '', name = ''], flags }, { config }) {
    const list = manifestReference(listName, 'annotate: error parsing name for manifest list')
    const reference = manifestReference(name, 'annotate: error parsing name for manifest')
    const store = new ListStore(config)
    const image = await store.image(list, reference)
    if (image === undefined) {
      throw commandError(
        `manifest for image ${formatReference(reference)} does not exist in ${formatReference(list)}; ` +
          `'berth manifest create --amend' adds it`,
      )
    }
    const { platform } = image
    const changed = {
      architecture: flags.arch || platform.architecture,
      os: flags.os || platform.os,
      'os.version': flags['os-version'] || platform['os.version'],
      'os.features': [...new Set([...(platform['os.features'] ?? []), ...flags['os-features']])],
      variant: flags.variant || platform.variant,
    }
    if (!isKnownPlatform(changed)) {
      throw commandError(
        `manifest entry for image has unsupported os/arch combination: ${changed.os}/${changed.architecture}`,
      )
    }
    await store.put(list, { ...image, platform: readPlatform(changed) })
  },
})

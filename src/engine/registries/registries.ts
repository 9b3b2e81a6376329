import { platformOf } from '#oci/platform.ts'
import type { AuthResponse, DistributionInspect, OCIPlatform } from '#api/generated/types.ts'
import type { RegistryAuth } from '#api/registry-auth.ts'
import {
  isIndex,
  limits,
  type Manifest,
  mediaTypes,
  parseImageConfig,
  parseManifestOrIndex,
} from '#oci/image-spec.ts'
import { parseReference, withDefaultTag } from '#oci/reference.ts'
import type { RegistryClient, Repository } from '#registry/client/repository.ts'
import { platformDocument } from '../images/manifest-summaries.ts'
import type { Cancellable, RegistryService, SearchItem } from '../services.ts'
import { credentialsOf } from './credentials.ts'
import { notAnImage } from './errors.ts'
import { checkLimit, itemOf, searchFilter, splitTerm } from './search.ts'

/** What is asked of a registry without anything coming or going: credentials, search, what lies under a name. */
export class Registries implements RegistryService {
  readonly #client: RegistryClient

  constructor(client: RegistryClient) {
    this.#client = client
  }

  async login(auth: RegistryAuth, options: Cancellable = {}): Promise<AuthResponse> {
    const domain = domainOf(auth.serveraddress ?? '')
    const { identityToken } = await this.#client.login(domain, credentialsOf(auth) ?? {}, options)
    return { Status: 'Login Succeeded', IdentityToken: identityToken ?? '' }
  }

  async search(
    text: string,
    options: Parameters<RegistryService['search']>[1],
  ): Promise<readonly SearchItem[]> {
    const limit = checkLimit(options.limit)
    const matches = searchFilter(options.filters)
    const { domain, term } = splitTerm(text)
    const credentials = credentialsOf(options.auth)
    const results = await this.#client.search(
      domain,
      { term, limit },
      { credentials, signal: options.signal },
    )
    return results.filter(matches).map(itemOf)
  }

  async inspect(
    name: string,
    { auth, signal }: Parameters<RegistryService['inspect']>[1],
  ): Promise<DistributionInspect> {
    const { domain, path, tag, digest } = withDefaultTag(parseReference(name))
    const repository = this.#client.repository({ domain, path }, { credentials: credentialsOf(auth) })
    const { descriptor, bytes } = await repository.manifest(digest ?? tag ?? '', { signal })
    const { mediaType, size } = descriptor
    const document = parseManifestOrIndex(bytes, { mediaType })
    const Platforms = isIndex(document)
      ? document.manifests.flatMap(({ platform }) => (platform ? [platformDocument(platform)] : []))
      : [await platformOfManifest(repository, document, signal)]
    return { Descriptor: { mediaType, digest: descriptor.digest, size }, Platforms }
  }
}

async function platformOfManifest(
  repository: Repository,
  { config }: Manifest,
  signal: AbortSignal | undefined,
): Promise<OCIPlatform> {
  const isImage = [mediaTypes.ociConfig, mediaTypes.dockerConfig].includes(config.mediaType as never)
  if (!isImage) throw notAnImage(config.mediaType)
  const bytes = await repository.document(config, { limit: limits.config, signal })
  return platformDocument(platformOf(parseImageConfig(bytes)))
}

/** The host of a server address; Docker Hub's is written in several ways, and is what nothing means. */
function domainOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').split('/', 1)[0] ?? ''
  const hub = ['', 'docker.io', 'index.docker.io', 'registry-1.docker.io']
  return hub.includes(host) ? 'docker.io' : host
}

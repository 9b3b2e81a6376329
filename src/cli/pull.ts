import { parseReference, repositoryOf, withDefaultTag } from '#oci/reference.ts'
import type { Context } from './command.ts'
import { followProgress } from './follow-progress.ts'
import type { Output } from './io.ts'
import { registryAuth } from './registry-auth.ts'

export interface PullOptions {
  readonly platform: string | undefined
  readonly quiet: boolean
  readonly to: Output
  /** Every tag of the repository. */
  readonly allTags?: boolean
}

/** Fetches an image and shows how that goes; `text` may lack a tag, which then is `latest`. */
export async function pullImage(text: string, options: PullOptions, context: Context): Promise<void> {
  const { client, signal } = context
  const reference = options.allTags === true ? parseReference(text) : withDefaultTag(parseReference(text))
  const auth = await registryAuth(reference, context)
  const messages = client.images.pull(repositoryOf(reference), {
    tag: reference.digest ?? reference.tag ?? '',
    platform: options.platform,
    auth,
    signal,
  })
  const output = options.quiet ? undefined : options.to
  await followProgress(messages, { output, verb: 'pull' }, context)
}

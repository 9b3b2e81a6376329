import { stringify } from '#api/json.ts'
import type { ApiVersion } from '#api/version.ts'
import { isKind } from '#base/errors.ts'
import type { Context } from './command.ts'
import { errorText, hasCode, withTemplatePrefix } from './errors.ts'
import { Template } from './format/template/template.ts'

/** Fields that documents leave out when they have nothing to say; a template may still ask for them. */
const optionalFields: ReadonlySet<string> = new Set(
  `Health Healthcheck SizeRw SizeRootFs StopTimeout StopSignal Shell ArgsEscaped NetworkDisabled MacAddress OnBuild
  Storage GraphDriver ImageManifestDescriptor Init Annotations Mounts Tmpfs Sysctls StorageOpt Runtime PidsLimit
  OomKillDisable MemorySwappiness Domainname ExposedPorts Volumes Labels Entrypoint Cmd Env Options Status UsageData
  ClusterVolume Descriptor Manifests Identity Comment Author Variant OsVersion Metadata Parent RepoTags RepoDigests
  Config Name Driver Propagation Services Peers Containers EnableIPv4 IPAMConfig Links Aliases DriverOpts DNSNames
  Healthy Error Platform`
    .trim()
    .split(/\s+/),
)

/** Fields that are maps with keys of the user's own. */
const mapFields: ReadonlySet<string> = new Set(
  'Labels Annotations Options Sysctls Tmpfs StorageOpt DriverOpts Networks Ports PortBindings ExposedPorts Volumes Containers'.split(
    ' ',
  ),
)

/** The last version whose containers have the fields of `NetworkSettings` that scripts ask for most, such as `IPAddress`. */
const OLDER: ApiVersion = '1.51'

/** A container as older versions of the API show it, for templates that ask for fields of theirs. */
export function olderContainer(ref: string, { client }: Pick<Context, 'client'>): Promise<unknown> {
  return client.containerQuery.inspect(ref, { version: OLDER })
}

/** Fields of `NetworkSettings` that newer versions have only per network. */
const olderFields =
  /\.(Bridge|EndpointID|Gateway|GlobalIPv6Address|GlobalIPv6PrefixLen|HairpinMode|IPAddress|IPPrefixLen|IPv6Gateway|LinkLocalIPv6Address|LinkLocalIPv6PrefixLen|MacAddress|SecondaryIPAddresses|SecondaryIPv6Addresses)\b/

interface Found {
  readonly document: unknown
  readonly older: (() => Promise<unknown>) | undefined
}

/**
 * Prints what `find` returns for each reference: one JSON array, or a line of the template per object. Missing objects
 * are reported after it and make the exit code 1. `older` is asked when a template goes wrong with what was found.
 */
export async function inspectAll(
  refs: readonly string[],
  format: string,
  context: Context,
  find: (ref: string) => Promise<unknown>,
  older?: (ref: string) => Promise<unknown>,
): Promise<number> {
  const template = compile(format)
  const results = await Promise.allSettled(
    refs.map(async (ref): Promise<Found> => {
      const wanted = older !== undefined && olderFields.test(format)
      return { document: await find(ref), older: wanted ? () => older(ref) : undefined }
    }),
  )
  context.signal.throwIfAborted()
  const found = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  if (template === undefined) {
    const documents = found.map(({ document }) => document)
    context.out(`${stringify(documents, format === 'json' ? undefined : 4)}\n`)
  } else await printEach(found, template, context)
  const failures = results.filter((result) => result.status === 'rejected')
  for (const { reason } of failures) context.err(`${errorText(reason)}\n`)
  return failures.length === 0 ? 0 : 1
}

function compile(format: string): Template | undefined {
  if (format === '' || format === 'json') return undefined
  return withPrefix(() => new Template(format, { optionalFields, mapFields }))
}

async function printEach(
  found: readonly Found[],
  template: Template,
  { out }: Pick<Context, 'out'>,
): Promise<void> {
  // Nothing found is an empty line.
  if (found.length === 0) out('\n')
  for (const each of found) {
    try {
      out(`${await evaluate(each, template)}\n`)
    } catch (error) {
      if (each === found[0]) out('\n')
      throw error
    }
  }
}

async function evaluate({ document, older }: Found, template: Template): Promise<string> {
  try {
    return withPrefix(() => template.execute(document))
  } catch (error) {
    if (older === undefined || !hasCode(error, 'TEMPLATE_FAILED')) throw error
    try {
      return template.execute(await older())
    } catch (again) {
      // Neither has it, or it is no container.
      if (hasCode(again, 'TEMPLATE_FAILED') || isKind(again, 'not_found')) throw error
      throw again
    }
  }
}

function withPrefix<T>(act: () => T): T {
  const prefix = 'template parsing error'
  return withTemplatePrefix({ parse: prefix, execute: prefix }, act)
}

import { stringify } from '#api/json.ts'
import type { Context } from './command.ts'
import { errorText, withTemplatePrefix } from './errors.ts'
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

/**
 * Prints what `find` returns for each reference: one JSON array, or a line of the template per object. Missing objects
 * are reported after it and make the exit code 1.
 */
export async function inspectAll(
  refs: readonly string[],
  format: string,
  context: Context,
  find: (ref: string) => Promise<unknown>,
): Promise<number> {
  const template = compile(format)
  const results = await Promise.allSettled(refs.map(async (ref) => find(ref)))
  const documents = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  context.out(render(documents, format, template))
  const failures = results.filter((result) => result.status === 'rejected')
  for (const { reason } of failures) context.err(`${errorText(reason)}\n`)
  return failures.length === 0 ? 0 : 1
}

function compile(format: string): Template | undefined {
  if (format === '' || format === 'json') return undefined
  return withPrefix(() => new Template(format, { optionalFields, mapFields }))
}

function render(documents: readonly unknown[], format: string, template: Template | undefined): string {
  if (format === 'json') return `${stringify(documents)}\n`
  if (template === undefined) return `${stringify(documents, 4)}\n`
  return documents.map((each) => `${withPrefix(() => template.execute(each))}\n`).join('')
}

function withPrefix<T>(act: () => T): T {
  const prefix = 'template parsing error'
  return withTemplatePrefix({ parse: prefix, execute: prefix }, act)
}

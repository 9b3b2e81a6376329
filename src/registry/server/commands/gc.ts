import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#base/clock.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import { jsonLogger } from '#base/logger.ts'
import { freedBy, reportText } from '../collection/report.ts'
import { readRegistryConfig, type RegistryConfig } from '../config.ts'
import { readSettings } from '../operations/operations.ts'
import { Upkeep } from '../operations/upkeep.ts'
import { retentionText } from '../retention/retention.ts'
import { openCatalogue } from '../storage/catalogue.ts'
import { FileBlobs } from '../storage/file-blobs.ts'
import { parseDuration } from '../settings/units.ts'
import { type CommandInvocation, type RegistryCommand, textOf, usageError } from './command.ts'

/** `berth registry gc`: what the registry does by itself from time to time, now. */
export const gcCommand: RegistryCommand = {
  usage: '--root DIR [OPTIONS]',
  summary: 'Remove what nobody needs any more; the registry may be running',
  options: {
    root: { kind: 'text', value: 'DIR', help: 'Directory of the registry' },
    config: { kind: 'text', value: 'FILE', help: 'Settings of the registry: collection, retention, proxy' },
    'dry-run': { kind: 'switch', help: 'Only say what would be removed, and why' },
    grace: {
      kind: 'text',
      value: 'DURATION',
      help: 'Leave alone what was written or touched within it (default 1h)',
    },
    'delete-untagged': { kind: 'switch', help: 'Also manifests that no tag, index or subject leads to' },
    json: { kind: 'switch', help: 'Print the report as JSON' },
    quiet: { kind: 'switch', short: 'q', help: 'Print only the last line' },
  },
  min: 0,
  max: 0,
  more: `A push takes its time: what it has sent before its manifest is safe for as long as --grace says. Do not go
below the longest pause in a push while the registry is running.
`,
  async run(invocation, io) {
    const config = await readRegistryConfig({
      root: textOf(invocation, 'root'),
      config: textOf(invocation, 'config'),
    })
    const grace = graceOf(invocation)
    const dryRun = invocation.options['dry-run'] === true
    await using upkeep = await openUpkeep(config, io.err)
    const request = { dryRun, grace, signal: io.signal }
    const { retention, collection: report } = await upkeep.tasks.run(
      invocation.options['delete-untagged'] === true ? { ...request, deleteUntagged: true } : request,
    )
    if (invocation.options['json'] === true) {
      const tags = retention.deleted.map(({ tag, reason }) => ({ ...tag, reason }))
      io.out(`${JSON.stringify({ ...report, freed: freedBy(report.removals), tags }, null, 2)}\n`)
      return
    }
    const text = `${retention.deleted.length > 0 ? retentionText(retention) : ''}${reportText(report)}`
    io.out(invocation.options['quiet'] === true ? `${text.trimEnd().split('\n').at(-1) ?? ''}\n` : text)
  },
}

async function openUpkeep(
  config: RegistryConfig,
  write: (text: string) => void,
): Promise<AsyncDisposable & { readonly tasks: Upkeep }> {
  const { root, settings, mirrorOf } = config
  const path = join(root, 'registry.db')
  await access(path).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
    throw new EngineError('not_found', `there is no registry in ${root}; name its directory with --root`, {
      code: 'REGISTRY_ROOT_MISSING',
      cause: error,
    })
  })
  const logger = jsonLogger(write, 'warn')
  const catalogue = openCatalogue(path, { logger })
  const tasks = new Upkeep({
    ...readSettings({ setting: (key) => settings[key], mirrorOf }),
    catalogue,
    blobs: new FileBlobs({ root }),
    clock: systemClock,
    logger,
  })
  return { tasks, [Symbol.asyncDispose]: () => catalogue[Symbol.asyncDispose]() }
}

function graceOf(invocation: CommandInvocation): number | undefined {
  const text = textOf(invocation, 'grace')
  const grace = text === undefined ? undefined : parseDuration(text)
  if (text !== undefined && grace === undefined) {
    throw usageError(`--grace ${text}: want a duration such as 1h or 90s`)
  }
  return grace
}

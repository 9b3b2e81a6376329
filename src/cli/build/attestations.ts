import { commandError } from '../errors.ts'
import type { BuildFlags } from './flags.ts'
import { fieldsOf } from './typed.ts'

const SCANNER = 'docker/buildkit-syft-scanner:stable-1'

export interface Attestations {
  readonly provenance: 'none' | 'min' | 'max'
  /** Reference of the scanner. */
  readonly sbom: string | undefined
}

/** What `--provenance`, `--sbom` and `--attest` ask for; nothing means none. */
export function attestationsOf(flags: Pick<BuildFlags, 'attest' | 'provenance' | 'sbom'>): Attestations {
  const wanted: Record<string, string>[] = flags.attest.map(fieldsOf)
  if (flags.provenance !== '') wanted.push({ type: 'provenance', ...short(flags.provenance) })
  if (flags.sbom !== '') wanted.push({ type: 'sbom', ...short(flags.sbom) })
  let provenance: Attestations['provenance'] = 'none'
  let sbom: string | undefined
  for (const fields of wanted) {
    const off = fields['disabled'] === 'true'
    if (fields['type'] === 'provenance') provenance = off ? 'none' : modeOf(fields['mode'] ?? 'min')
    else if (fields['type'] === 'sbom') sbom = off ? undefined : (fields['generator'] ?? SCANNER)
    else
      throw commandError(
        `invalid attestation type ${JSON.stringify(fields['type'] ?? '')}: want sbom or provenance`,
      )
  }
  return { provenance, sbom }
}

/** `true`, `false`, or fields. */
function short(text: string): Record<string, string> {
  if (['true', '1', 't'].includes(text.toLowerCase())) return {}
  if (['false', '0', 'f'].includes(text.toLowerCase())) return { disabled: 'true' }
  return fieldsOf(text)
}

function modeOf(mode: string): 'min' | 'max' {
  if (mode === 'min' || mode === 'max') return mode
  throw commandError(`invalid provenance mode ${JSON.stringify(mode)}: want min or max`)
}

import type { Digest } from '#base/digest.ts'
import { shortId } from '#base/ids.ts'
import type { ProgressMessage } from '../services.ts'

export type LayerStatus =
  | 'Already exists'
  | 'Pulling fs layer'
  | 'Waiting'
  | `Retrying in ${string}`
  | 'Verifying Checksum'
  | 'Download complete'
  | 'Pull complete'

/** What is happening to a layer, in Docker's words. */
export function layerLine(digest: Digest, status: LayerStatus): ProgressMessage {
  return { status, progressDetail: {}, id: shortId(digest) }
}

/** After `pause` milliseconds. */
export function retrying(pause: number): LayerStatus {
  const seconds = Math.round(pause / 1000)
  return `Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`
}

export function layerBytes(
  digest: Digest,
  status: 'Downloading' | 'Extracting',
  current: number,
  total: number,
): ProgressMessage {
  return {
    status,
    progressDetail: { current, total },
    progress: progressBar(current, total),
    id: shortId(digest),
  }
}

const WIDTH = 50

/** `[====>   ]  1.2MB/3.4MB`, as older clients print it. */
export function progressBar(current: number, total: number): string {
  if (total <= 0 || current > total) return sizeText(current).padStart(8)
  const done = Math.floor((current / total) * WIDTH)
  const bar = `${'='.repeat(done)}>${' '.repeat(WIDTH - done)}`
  return `[${bar}] ${sizeText(current).padStart(8)}/${sizeText(total)}`
}

function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return `${Number(value.toPrecision(4))}${units[unit]}`
}

import { formatPlatform, type Platform } from '#oci/platform.ts'

export interface StepNaming {
  /** Undefined for the only stage of a file when it has no name. */
  readonly stage: string | undefined
  /** Steps of the stage, its FROM included when that is an image. */
  readonly total: number
  /** Told when the build is for several platforms. */
  readonly platform: Platform | undefined
}

/** Counts the steps of a stage and names them as BuildKit does: `[build 2/5] RUN make`. */
export class StepNames {
  readonly #naming: StepNaming
  #step = 0

  constructor(naming: StepNaming) {
    this.#naming = naming
  }

  /** `target`: what a step on another platform builds for, when its variables say so. */
  next(text: string, target?: Platform): string {
    const { stage, total, platform } = this.#naming
    this.#step++
    const number = String(this.#step).padStart(String(total).length)
    const words = [
      ...(platform === undefined ? [] : [formatPlatform(platform) + crossing(platform, target)]),
      ...(stage === undefined ? [] : [stage]),
      `${number}/${total}`,
    ]
    return `[${words.join(' ')}] ${text}`
  }
}

/** `->arm64` */
function crossing(from: Platform, to: Platform | undefined): string {
  if (to === undefined || formatPlatform(from) === formatPlatform(to)) return ''
  const whole = formatPlatform(to)
  return `->${from.os === to.os ? whole.slice(to.os.length + 1) : whole}`
}

import { EngineError } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import type { VolumeRow } from '#store/volumes.ts'

/** Marks a volume that nobody named; Docker's label. */
export const ANONYMOUS = 'com.docker.volume.anonymous'
/** Digits of the container's id in the name of an anonymous volume. */
const OWNER_LENGTH = 32
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/
/** What filesystems take as the name of a directory. */
const NAME_MAX = 255

/** Tells whose volume it is; the rest is random. */
export function anonymousName(owner: string | undefined): string {
  return owner === undefined ? newId() : ownerPart(owner) + newId().slice(OWNER_LENGTH)
}

/** What the names of all anonymous volumes of a container begin with. */
export function ownerPart(owner: string): string {
  return owner.slice(0, OWNER_LENGTH)
}

export function isAnonymous(row: VolumeRow): boolean {
  return Object.hasOwn(row.labels, ANONYMOUS)
}

/** Docker's rules and words. */
export function checkName(name: string): void {
  if (name.length === 1) {
    throw nameInvalid(
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    )
  }
  if (!NAME.test(name)) {
    throw nameInvalid(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    )
  }
  if (name.length > NAME_MAX)
    throw nameInvalid(`create ${name}: the name has more than ${NAME_MAX} characters`)
}

function nameInvalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'VOLUME_NAME_INVALID' })
}

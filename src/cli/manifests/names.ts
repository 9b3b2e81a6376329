import { messageOf } from '#base/errors.ts'
import { parseReference, type Reference, withDefaultTag } from '#oci/reference.ts'
import { commandError } from '../errors.ts'
import { bool, type Flag } from '../flags.ts'

/** What somebody called a list or an image, in full. `about` stands before what is wrong with it. */
export function manifestReference(text: string, about = ''): Reference {
  try {
    return withDefaultTag(parseReference(text))
  } catch (error) {
    throw commandError(`${about === '' ? '' : `${about} ${text}: `}${messageOf(error)}`, error)
  }
}

/** Docker's words for a list, or an image of one, that is not here. */
export function noSuchManifest(reference: string): Error {
  return commandError(`No such manifest: ${reference}`)
}

/** Every command that asks a registry has it. */
export const insecure: Flag<boolean> = bool('Take plain HTTP and unknown certificates of the registry')

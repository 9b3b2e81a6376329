import { SyntaxFailure } from '../dockerfile/failure.ts'

/** A heredoc that becomes a file is called as its delimiter; that has to be a name and no path. */
export function checkDocumentName(name: string): void {
  if (name !== '.' && name !== '..' && !/[/\0]/.test(name)) return
  throw new SyntaxFailure(`heredoc ${JSON.stringify(name)} cannot be the name of a file`, {
    hint: 'Choose a delimiter without slashes.',
  })
}

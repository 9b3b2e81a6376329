import type { ContextDocument } from '../../contexts/context-store.ts'
import type { Headers } from '../list.ts'
import { view, type View } from '../template/view.ts'
import { ellipsis } from '../units.ts'

export const contextTable =
  'table {{.Name}}{{if .Current}} *{{end}}\\t{{.Description}}\\t{{.DockerEndpoint}}\\t{{.Error}}'

export const contextHeaders: Headers = {
  Current: '',
  Name: 'NAME',
  Description: 'DESCRIPTION',
  DockerEndpoint: 'DOCKER ENDPOINT',
  Error: 'ERROR',
}

const LONGEST_ERROR = 45

export function contextView(
  { document, error }: { readonly document: ContextDocument; readonly error: string },
  current: boolean,
): View {
  return view('*formatter.clientContextContext', {
    Current: () => current,
    Description: () => document.Metadata.Description ?? '',
    DockerEndpoint: () => document.Endpoints.docker?.Host ?? '',
    Error: () => ellipsis(error, LONGEST_ERROR),
    Name: () => document.Name,
  })
}

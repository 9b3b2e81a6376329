import type { SearchItem } from '#client/registries.ts'
import type { Headers } from '../list.ts'
import { view, type View } from '../template/view.ts'
import { ellipsis } from '../units.ts'

export const searchTable = 'table {{.Name}}\\t{{.Description}}\\t{{.StarCount}}\\t{{.IsOfficial}}'

export const searchHeaders: Headers = {
  Name: 'NAME',
  Description: 'DESCRIPTION',
  StarCount: 'STARS',
  IsOfficial: 'OFFICIAL',
}

const DESCRIPTION_WIDTH = 45

export function searchView(item: SearchItem, options: { readonly trunc: boolean }): View {
  // A description has line ends of its own, which would break the table.
  const text = (item.description ?? '').replaceAll(/[\r\n\t]/g, ' ')
  const Description = options.trunc ? ellipsis(text, DESCRIPTION_WIDTH) : text
  const Name = item.name ?? ''
  const StarCount = String(item.star_count ?? 0)
  const official = item.is_official === true
  const document = { Description, IsOfficial: String(official), Name, StarCount }
  const fields = {
    Name: () => Name,
    Description: () => Description,
    StarCount: () => StarCount,
    IsOfficial: () => (official ? '[OK]' : ''),
  }
  return view('*search.searchContext', fields, document)
}

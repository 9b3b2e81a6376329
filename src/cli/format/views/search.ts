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

export function searchView(
  item: SearchItem,
  options: { readonly trunc: boolean; readonly json: boolean },
): View {
  // A description has line ends of its own, which would break the table.
  const description = (item.description ?? '').replaceAll(/[\r\n\t]/g, ' ')
  const official = item.is_official === true
  return view('*search.searchContext', {
    Name: () => item.name ?? '',
    Description: () => (options.trunc ? ellipsis(description, DESCRIPTION_WIDTH) : description),
    StarCount: () => String(item.star_count ?? 0),
    IsOfficial: () => (options.json ? String(official) : official ? '[OK]' : ''),
  })
}

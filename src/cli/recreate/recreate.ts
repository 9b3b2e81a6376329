import { isKind } from '#base/errors.ts'
import type { ImageInspect } from '#api/generated/types.ts'
import type { Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { composeFile } from './compose-file.ts'
import { recipeOf, type Recipe } from './recipe.ts'
import { quote, runArguments } from './run-arguments.ts'

/** The values of `--as`. */
export const forms: readonly string[] = ['run', 'compose']

/** Containers as what would make them again: `berth run` lines, or one Compose file. */
export async function recreate(refs: readonly string[], form: string, context: Context): Promise<string> {
  if (!forms.includes(form)) {
    throw commandError(`"${form}" is not a valid value for --as; use one of ${forms.join(', ')}`)
  }
  const info = await context.client.system.info()
  const recipes = await Promise.all(
    refs.map(async (ref): Promise<Recipe> => {
      const container = await context.client.containerQuery.inspect(ref)
      return recipeOf(container, await imageOf(container.Image ?? '', context), info)
    }),
  )
  if (form === 'compose') return composeFile(recipes)
  return recipes.map((recipe) => `berth ${runArguments(recipe).map(quote).join(' ')}\n`).join('')
}

async function imageOf(id: string, { client }: Context): Promise<ImageInspect | undefined> {
  try {
    return await client.images.inspect(id)
  } catch (error) {
    if (isKind(error, 'not_found')) return undefined
    throw error
  }
}

import { EngineError } from '#base/errors.ts'
import { json } from '../reply.ts'
import { route, type Method, type Route } from '../route.ts'
import { notBuiltYet } from './missing.ts'

const message = 'engine plugins are not built yet'

export function pluginRoutes(): readonly Route[] {
  return [
    route({ operation: 'PluginList', method: 'GET', path: '/plugins', handle: () => json([]) }),
    notBuiltYet('GetPluginPrivileges', 'GET', '/plugins/privileges', message),
    notBuiltYet('PluginPull', 'POST', '/plugins/pull', message),
    notBuiltYet('PluginCreate', 'POST', '/plugins/create', message),
    noSuchPlugin('PluginInspect', 'GET', '/plugins/{name}/json'),
    noSuchPlugin('PluginDelete', 'DELETE', '/plugins/{name}'),
    noSuchPlugin('PluginEnable', 'POST', '/plugins/{name}/enable'),
    noSuchPlugin('PluginDisable', 'POST', '/plugins/{name}/disable'),
    noSuchPlugin('PluginUpgrade', 'POST', '/plugins/{name}/upgrade'),
    noSuchPlugin('PluginPush', 'POST', '/plugins/{name}/push'),
    noSuchPlugin('PluginSet', 'POST', '/plugins/{name}/set'),
  ]
}

/** No plugin can be there. `docker inspect NAME` asks for one last of all and takes nothing but 404 for "no". */
function noSuchPlugin(operation: string, method: Method, path: `${string}{name}${string}`): Route {
  return {
    operation,
    method,
    path,
    greedy: true,
    missing: 'plugins',
    handle: ({ params }) => {
      throw new EngineError('not_found', `plugin ${JSON.stringify(params['name'])} not found`, {
        code: 'PLUGIN_NOT_FOUND',
      })
    },
  }
}

import { json } from '../reply.ts'
import { route, type Route } from '../route.ts'
import { notBuiltYet } from './missing.ts'

const message = 'engine plugins are not built yet'
const greedy = { greedy: true } as const

export function pluginRoutes(): readonly Route[] {
  return [
    route({ operation: 'PluginList', method: 'GET', path: '/plugins', handle: () => json([]) }),
    notBuiltYet('GetPluginPrivileges', 'GET', '/plugins/privileges', message),
    notBuiltYet('PluginPull', 'POST', '/plugins/pull', message),
    notBuiltYet('PluginCreate', 'POST', '/plugins/create', message),
    notBuiltYet('PluginInspect', 'GET', '/plugins/{name}/json', message, greedy),
    notBuiltYet('PluginDelete', 'DELETE', '/plugins/{name}', message, greedy),
    notBuiltYet('PluginEnable', 'POST', '/plugins/{name}/enable', message, greedy),
    notBuiltYet('PluginDisable', 'POST', '/plugins/{name}/disable', message, greedy),
    notBuiltYet('PluginUpgrade', 'POST', '/plugins/{name}/upgrade', message, greedy),
    notBuiltYet('PluginPush', 'POST', '/plugins/{name}/push', message, greedy),
    notBuiltYet('PluginSet', 'POST', '/plugins/{name}/set', message, greedy),
  ]
}

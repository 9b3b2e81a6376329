import type { EndpointSettings, Mount, Resources } from '#api/generated/types.ts'
import { isBefore, type ApiVersion } from '#api/version.ts'
import { EngineError } from '#base/errors.ts'
import type { ContainerCreateBody, ExecCreateBody } from '#engine/services.ts'

type Body = ContainerCreateBody & { readonly MacAddress?: string | null | undefined }
type HostConfig = NonNullable<ContainerCreateBody['HostConfig']>
type Endpoints = Record<string, EndpointSettings>

/** `POST /containers/create`. @throws EngineError for what that version cannot express */
export function liftCreate(document: object, version: ApiVersion): object {
  const { MacAddress, ...body } = document as Body
  const hostConfig = body.HostConfig ?? {}
  const endpoints = body.NetworkingConfig?.EndpointsConfig ?? {}
  if (isBefore(version, '1.44') && Object.keys(endpoints).length > 1) {
    throw refused('Container cannot be created with multiple network endpoints', '1.44')
  }
  const mode = hostConfig.NetworkMode || 'default'
  const lifted = liftEndpoints(endpoints, version)
  const addressed =
    typeof MacAddress === 'string' && MacAddress !== '' && isBefore(version, '1.52')
      ? withMacAddress(lifted, mode, MacAddress)
      : lifted
  return {
    ...body,
    ...liftHealthcheck(body, version),
    HostConfig: liftHostConfig(hostConfig, version),
    ...(isBefore(version, '1.44') && hostConfig.Binds?.length ? { ShallowReadOnlyBinds: true } : {}),
    ...(Object.keys(addressed).length === 0 ? {} : { NetworkingConfig: { EndpointsConfig: addressed } }),
  }
}

function liftHealthcheck(body: ContainerCreateBody, version: ApiVersion): Partial<ContainerCreateBody> {
  if (!isBefore(version, '1.44') || !body.Healthcheck) return {}
  const { StartInterval: _later, ...Healthcheck } = body.Healthcheck
  return { Healthcheck }
}

function liftHostConfig(hostConfig: HostConfig, version: ApiVersion): HostConfig {
  const lifted: HostConfig = { ...hostConfig }
  if (isBefore(version, '1.40') && !lifted.IpcMode) lifted.IpcMode = 'shareable'
  if (isBefore(version, '1.41') && !lifted.CgroupnsMode) lifted.CgroupnsMode = 'host'
  if (isBefore(version, '1.42')) delete lifted.ConsoleSize
  if (isBefore(version, '1.43')) delete lifted.Annotations
  if (lifted.Mounts) lifted.Mounts = lifted.Mounts.map((mount) => liftMount(mount, version))
  return lifted
}

function liftMount(mount: Mount, version: ApiVersion): Mount {
  const { BindOptions: _bind, VolumeOptions, TmpfsOptions, ...common } = mount
  if (isBefore(version, '1.45') && VolumeOptions?.Subpath) throw refused('VolumeOptions.Subpath', '1.45')
  if (isBefore(version, '1.48') && mount.Type === 'image') throw refused('mounts of type image', '1.48')
  // Options of another type were not looked at before 1.42; since then they are a mistake.
  const strays = isBefore(version, '1.42')
  const bind = strays && mount.Type !== 'bind' ? undefined : liftBindOptions(mount, version)
  const volume = strays && mount.Type !== 'volume' ? undefined : VolumeOptions
  const tmpfs = strays && mount.Type !== 'tmpfs' ? undefined : TmpfsOptions
  return {
    ...common,
    ...(bind ? { BindOptions: bind } : {}),
    ...(volume ? { VolumeOptions: volume } : {}),
    ...(tmpfs ? { TmpfsOptions: tmpfs } : {}),
  }
}

function liftBindOptions(mount: Mount, version: ApiVersion): Mount['BindOptions'] {
  const options = { ...mount.BindOptions }
  if (isBefore(version, '1.40')) delete options.NonRecursive
  if (isBefore(version, '1.42')) delete options.CreateMountpoint
  if (isBefore(version, '1.44')) {
    delete options.ReadOnlyForceRecursive
    if (mount.Type === 'bind' && mount.ReadOnly === true) options.ReadOnlyNonRecursive = true
  }
  return mount.BindOptions || Object.keys(options).length > 0 ? options : undefined
}

function liftEndpoints(endpoints: Endpoints, version: ApiVersion): Endpoints {
  return Object.fromEntries(
    Object.entries(endpoints).map(([name, endpoint]) => {
      const lifted = { ...endpoint }
      if (isBefore(version, '1.44')) delete lifted.MacAddress
      if (isBefore(version, '1.48')) delete lifted.GwPriority
      return [name, lifted]
    }),
  )
}

/** The address of the whole container became one of the endpoint on its main network in 1.44. */
function withMacAddress(endpoints: Endpoints, networkMode: string, address: string): Endpoints {
  if (networkMode === 'none' || networkMode === 'host' || networkMode.startsWith('container:')) {
    return endpoints
  }
  const name = mainEndpoint(Object.keys(endpoints), networkMode)
  const endpoint = endpoints[name]
  if (endpoint?.MacAddress && endpoint.MacAddress !== address) {
    throw new EngineError(
      'invalid_argument',
      'conflicting MAC address specified for the container and its network endpoint',
      { code: 'MAC_ADDRESS_CONFLICT' },
    )
  }
  return { ...endpoints, [name]: { ...endpoint, MacAddress: address } }
}

/** The only one there is is meant, under whichever of its names. */
function mainEndpoint(names: readonly string[], networkMode: string): string {
  if (names.length === 1) return names[0] ?? networkMode
  return networkMode === 'default' && names.includes('bridge') ? 'bridge' : networkMode
}

/** `POST /containers/{id}/update`. */
export function liftUpdate(document: object, version: ApiVersion): object {
  const lifted: Resources = { ...document }
  if (isBefore(version, '1.40')) delete lifted.PidsLimit
  if (isBefore(version, '1.55')) {
    delete lifted.BlkioWeightDevice
    delete lifted.BlkioDeviceReadBps
    delete lifted.BlkioDeviceWriteBps
    delete lifted.BlkioDeviceReadIOps
    delete lifted.BlkioDeviceWriteIOps
  }
  return lifted
}

/** `POST /containers/{id}/exec` and `POST /exec/{id}/start`. */
export function liftExec(document: object, version: ApiVersion): object {
  if (!isBefore(version, '1.42')) return document
  const { ConsoleSize: _later, ...lifted } = document as ExecCreateBody
  return lifted
}

/** `POST /networks/{id}/connect`. */
export function liftConnect(document: object, version: ApiVersion): object {
  const { EndpointConfig, ...rest } = document as { readonly EndpointConfig?: EndpointSettings | null }
  if (!EndpointConfig) return document
  const lifted = { ...EndpointConfig }
  if (isBefore(version, '1.48')) delete lifted.GwPriority
  if (isBefore(version, '1.54')) delete lifted.MacAddress
  return { ...rest, EndpointConfig: lifted }
}

function refused(what: string, since: ApiVersion): EngineError {
  return new EngineError('invalid_argument', `${what}: needs API version ${since} or newer`, {
    code: 'API_VERSION_TOO_OLD_FOR_OPTION',
  })
}

/**
 * A project in Compose's normal form: every short form written out, every default that Compose adds in place. The keys are
 * those of the Compose specification; schema/ says in which order they are written.
 */

import type { Place } from '../document/node.ts'
import type { DocumentPath } from '../document/places.ts'

export type Values = Readonly<Record<string, string>>
/** A variable without a value is not set in the container. */
export type Variables = Readonly<Record<string, string | null>>

export type Condition = 'service_started' | 'service_healthy' | 'service_completed_successfully'

export interface Dependency {
  readonly condition: Condition
  /** Restarted, or made anew, when the other one is. */
  readonly restart?: boolean
  readonly required: boolean
}

export interface Port {
  readonly name?: string
  readonly mode?: string
  readonly host_ip?: string
  readonly target: number
  readonly published?: string
  readonly protocol?: string
  readonly app_protocol?: string
}

export interface Mount {
  readonly type: 'bind' | 'volume' | 'tmpfs' | 'cluster' | 'npipe' | 'image'
  readonly source?: string
  readonly target: string
  readonly read_only?: boolean
  readonly consistency?: string
  readonly bind?: {
    readonly selinux?: 'z' | 'Z'
    readonly propagation?: string
    readonly create_host_path?: boolean
    readonly recursive?: string
  }
  readonly volume?: { readonly labels?: Values; readonly nocopy?: boolean; readonly subpath?: string }
  readonly tmpfs?: { readonly size?: string; readonly mode?: number }
  readonly image?: { readonly subpath?: string }
}

export interface FileReference {
  readonly source: string
  readonly target?: string
  readonly uid?: string
  readonly gid?: string
  /** Octal. */
  readonly mode?: string
}

export interface Hook {
  readonly command: readonly string[]
  readonly user?: string
  readonly privileged?: boolean
  readonly working_dir?: string
  readonly environment?: Variables
}

export interface DeviceRequest {
  readonly capabilities?: readonly string[]
  readonly driver?: string
  readonly count?: number
  readonly device_ids?: readonly string[]
  readonly options?: Values
}

export interface ServiceNetwork {
  readonly aliases?: readonly string[]
  readonly driver_opts?: Values
  readonly gw_priority?: number
  readonly interface_name?: string
  readonly ipv4_address?: string
  readonly ipv6_address?: string
  readonly link_local_ips?: readonly string[]
  readonly mac_address?: string
  readonly priority?: number
}

export interface Healthcheck {
  readonly test?: readonly string[]
  readonly timeout?: string
  readonly interval?: string
  readonly retries?: number
  readonly start_period?: string
  readonly start_interval?: string
  readonly disable?: boolean
}

export type Ulimit = number | { readonly soft: number; readonly hard: number }

export interface Build {
  readonly context?: string
  readonly dockerfile?: string
  readonly dockerfile_inline?: string
  readonly entitlements?: readonly string[]
  readonly args?: Variables
  readonly provenance?: string
  readonly sbom?: string
  readonly ssh?: readonly string[]
  readonly labels?: Values
  readonly cache_from?: readonly string[]
  readonly cache_to?: readonly string[]
  readonly no_cache?: boolean
  readonly additional_contexts?: Values
  readonly pull?: boolean
  readonly extra_hosts?: readonly string[]
  readonly isolation?: string
  readonly network?: string
  readonly target?: string
  readonly secrets?: readonly FileReference[]
  readonly shm_size?: string
  readonly tags?: readonly string[]
  readonly ulimits?: Readonly<Record<string, Ulimit>>
  readonly platforms?: readonly string[]
  readonly privileged?: boolean
}

export interface Amounts {
  readonly cpus?: number
  readonly memory?: string
  readonly pids?: number
  readonly devices?: readonly DeviceRequest[]
  readonly generic_resources?: readonly unknown[]
}

export interface Deploy {
  readonly mode?: string
  readonly replicas?: number
  readonly labels?: Values
  readonly update_config?: object
  readonly rollback_config?: object
  readonly resources: { readonly limits?: Amounts; readonly reservations?: Amounts }
  readonly restart_policy?: {
    readonly condition?: string
    readonly delay?: string
    readonly max_attempts?: number
    readonly window?: string
  }
  readonly placement: object
  readonly endpoint_mode?: string
}

export interface Watch {
  readonly path: string
  readonly action: 'rebuild' | 'sync' | 'restart' | 'sync+restart' | 'sync+exec'
  readonly target?: string
  readonly exec?: Hook
  readonly include?: readonly string[]
  readonly ignore?: readonly string[]
  readonly initial_sync?: boolean
}

export interface DeviceRate {
  readonly path: string
  readonly rate?: string
  readonly weight?: number
}

export interface Service {
  readonly profiles?: readonly string[]
  readonly annotations?: Values
  readonly attach?: boolean
  readonly build?: Build
  readonly develop?: { readonly watch?: readonly Watch[] }
  readonly blkio_config?: {
    readonly weight?: number
    readonly weight_device?: readonly DeviceRate[]
    readonly device_read_bps?: readonly DeviceRate[]
    readonly device_read_iops?: readonly DeviceRate[]
    readonly device_write_bps?: readonly DeviceRate[]
    readonly device_write_iops?: readonly DeviceRate[]
  }
  readonly cap_add?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly cgroup_parent?: string
  readonly cgroup?: string
  readonly cpu_count?: number
  readonly cpu_percent?: number
  readonly cpu_period?: number
  readonly cpu_quota?: number
  readonly cpu_rt_period?: number
  readonly cpu_rt_runtime?: number
  readonly cpus?: number
  readonly cpuset?: string
  readonly cpu_shares?: number
  /** Null: as the image says. */
  readonly command: readonly string[] | null
  readonly configs?: readonly FileReference[]
  readonly container_name?: string
  readonly credential_spec?: object
  readonly depends_on?: Readonly<Record<string, Dependency>>
  readonly deploy?: Deploy
  readonly device_cgroup_rules?: readonly string[]
  readonly devices?: readonly {
    readonly source: string
    readonly target?: string
    readonly permissions?: string
  }[]
  readonly dns?: readonly string[]
  readonly dns_opt?: readonly string[]
  readonly dns_search?: readonly string[]
  readonly domainname?: string
  /** Null: as the image says. */
  readonly entrypoint: readonly string[] | null
  readonly provider?: {
    readonly type: string
    readonly options?: Readonly<Record<string, readonly string[]>>
  }
  readonly environment?: Variables
  readonly env_file?: readonly {
    readonly path: string
    readonly required?: boolean
    readonly format?: string
  }[]
  readonly expose?: readonly string[]
  readonly external_links?: readonly string[]
  /** `HOST=ADDRESS`. */
  readonly extra_hosts?: readonly string[]
  readonly group_add?: readonly string[]
  readonly gpus?: readonly DeviceRequest[]
  readonly hostname?: string
  readonly healthcheck?: Healthcheck
  readonly image?: string
  readonly init?: boolean
  readonly ipc?: string
  readonly isolation?: string
  readonly labels?: Values
  readonly label_file?: readonly string[]
  readonly links?: readonly string[]
  readonly logging?: { readonly driver?: string; readonly options?: Variables }
  readonly mem_limit?: string
  readonly mem_reservation?: string
  readonly memswap_limit?: string
  readonly mem_swappiness?: string
  readonly mac_address?: string
  readonly models?: Readonly<
    Record<string, { readonly endpoint_var?: string; readonly model_var?: string } | null>
  >
  readonly network_mode?: string
  readonly networks?: Readonly<Record<string, ServiceNetwork | null>>
  readonly oom_kill_disable?: boolean
  readonly oom_score_adj?: number
  readonly pid?: string
  readonly pids_limit?: number
  readonly platform?: string
  readonly ports?: readonly Port[]
  readonly privileged?: boolean
  readonly pull_policy?: string
  readonly read_only?: boolean
  readonly restart?: string
  readonly runtime?: string
  readonly scale?: number
  readonly secrets?: readonly FileReference[]
  readonly security_opt?: readonly string[]
  readonly shm_size?: string
  readonly stdin_open?: boolean
  readonly stop_grace_period?: string
  readonly stop_signal?: string
  readonly storage_opt?: Values
  readonly sysctls?: Values
  readonly tmpfs?: readonly string[]
  readonly tty?: boolean
  readonly ulimits?: Readonly<Record<string, Ulimit>>
  readonly use_api_socket?: boolean
  readonly user?: string
  readonly userns_mode?: string
  readonly uts?: string
  readonly volumes?: readonly Mount[]
  readonly volumes_from?: readonly string[]
  readonly working_dir?: string
  readonly post_start?: readonly Hook[]
  readonly pre_stop?: readonly Hook[]
}

export interface NetworkResource {
  readonly name: string
  readonly driver?: string
  readonly driver_opts?: Values
  readonly ipam: {
    readonly driver?: string
    readonly config?: readonly {
      readonly subnet?: string
      readonly gateway?: string
      readonly ip_range?: string
      readonly aux_addresses?: Values
    }[]
  }
  readonly external?: boolean
  readonly internal?: boolean
  readonly attachable?: boolean
  readonly labels?: Values
  readonly enable_ipv4?: boolean
  readonly enable_ipv6?: boolean
}

export interface VolumeResource {
  readonly name: string
  readonly driver?: string
  readonly driver_opts?: Values
  readonly external?: boolean
  readonly labels?: Values
}

/** A secret or a configuration. */
export interface FileResource {
  readonly name: string
  readonly file?: string
  readonly environment?: string
  readonly content?: string
  readonly external?: boolean
  readonly labels?: Values
  readonly template_driver?: string
}

/** What `config` prints. */
export interface ProjectDocument {
  readonly name: string
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, NetworkResource>>
  readonly volumes: Readonly<Record<string, VolumeResource>>
  readonly secrets: Readonly<Record<string, FileResource>>
  readonly configs: Readonly<Record<string, FileResource>>
  /** Read and shown; there is nobody who runs them here. */
  readonly models: Readonly<Record<string, unknown>>
  /** `x-` keys of the top level. */
  readonly extensions: Readonly<Record<string, unknown>>
}

/** A project with what it was made of. */
export interface Project extends ProjectDocument {
  /** Services whose profiles are not enabled. */
  readonly disabled: Readonly<Record<string, Service>>
  readonly directory: string
  /** The files it was read from; `-` is standard input. */
  readonly files: readonly string[]
  /** Files of variables that were named. */
  readonly envFiles: readonly string[]
  /** The variables that it was read with. */
  readonly environment: ReadonlyMap<string, string>
  /** Where a part is written, or what it would be a part of; undefined: the project was not read from files. */
  readonly placeOf: (...path: DocumentPath) => Place | undefined
}

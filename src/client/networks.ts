import type {
  IPAM,
  Network,
  NetworkConnectRequest,
  NetworkCreateResponse,
  NetworkDisconnectRequest,
  NetworkSummary,
} from '#api/generated/types.ts'
import type { Diagnosis, Exposure } from '#api/network-reports.ts'
import { filtersQuery, type Filters } from './filters.ts'
import type { Transport } from './transport.ts'
import { segment } from './segment.ts'

/** `POST /networks/create`. */
export interface NetworkCreateRequest {
  readonly Name: string
  readonly Driver?: string
  readonly Scope?: string
  readonly Internal?: boolean
  readonly Attachable?: boolean
  readonly Ingress?: boolean
  readonly ConfigOnly?: boolean
  readonly ConfigFrom?: { readonly Network: string }
  readonly EnableIPv4?: boolean
  readonly EnableIPv6?: boolean
  readonly IPAM?: IPAM
  readonly Options?: Readonly<Record<string, string>>
  readonly Labels?: Readonly<Record<string, string>>
}

/** Networks by name, id or prefix of an id. */
export class Networks {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async list(filters?: Filters): Promise<NetworkSummary[]> {
    return this.#transport.json('GET', '/networks', { query: { filters: filtersQuery(filters) } })
  }

  async inspect(ref: string, options: { readonly verbose?: boolean } = {}): Promise<Network> {
    return this.#transport.json('GET', `/networks/${segment('network', ref)}`, {
      query: { verbose: options.verbose },
    })
  }

  async create(body: NetworkCreateRequest): Promise<NetworkCreateResponse> {
    return this.#transport.json('POST', '/networks/create', { json: body })
  }

  /** Fails while a running container is on it. */
  async remove(ref: string): Promise<void> {
    await this.#transport.status('DELETE', `/networks/${segment('network', ref)}`)
  }

  async connect(ref: string, body: NetworkConnectRequest): Promise<void> {
    await this.#transport.status('POST', `/networks/${segment('network', ref)}/connect`, { json: body })
  }

  async disconnect(ref: string, body: NetworkDisconnectRequest): Promise<void> {
    await this.#transport.status('POST', `/networks/${segment('network', ref)}/disconnect`, { json: body })
  }

  /** Every port that somebody can reach, from where, and by which rule. */
  async exposure(): Promise<Exposure> {
    return this.#transport.json('GET', '/berth/exposure')
  }

  /** Why a port of a container is not reached: by others, or by another container under a name. */
  async unreachable(
    ref: string,
    query: { readonly port: string; readonly from?: string | undefined; readonly name?: string | undefined },
  ): Promise<Diagnosis> {
    return this.#transport.json('GET', `/berth/containers/${segment('container', ref)}/unreachable`, {
      query,
    })
  }

  async prune(filters?: Filters): Promise<{ NetworksDeleted?: string[] | null }> {
    return this.#transport.json('POST', '/networks/prune', {
      query: { filters: filtersQuery(filters) },
    })
  }
}

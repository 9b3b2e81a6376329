import { DEFAULT_CONFIG_FILE } from './config.ts'

export const usage = `Usage: berthd [OPTIONS]

The berth engine: Docker's HTTP API on a socket.

Options:
  -H, --host URL             Where to listen, repeated (default unix:///run/berth/berth.sock):
                             unix:///PATH, tcp://HOST:PORT, or fd:// for what systemd passes
      --read-only-host URL   Where only what changes nothing is served, repeated
      --tlsverify            TCP with TLS, for holders of a certificate (the only kind of TLS there is)
      --tlscacert FILE       Authority of the clients' certificates (default /etc/berth/ca.pem)
      --tlscert FILE         Certificate of this engine (default /etc/berth/cert.pem)
      --tlskey FILE          Its key, for its owner's eyes alone (default /etc/berth/key.pem)
      --data-root DIR        Images, containers, volumes (default /var/lib/berth)
      --exec-root DIR        What is gone after a reboot (default /run/berth)
      --config-file FILE     Keys as the options here (default ${DEFAULT_CONFIG_FILE}); read again on SIGHUP
      --validate             Say whether flags and file can be used, and end
  -l, --log-level LEVEL      debug, info, warn or error (default info)
  -D, --debug                The same as --log-level debug
      --label KEY=VALUE      Shown by "info", repeated
      --log-driver DRIVER    Of containers that name none: json-file, local, syslog, journald, none or a plugin
      --log-opt NAME=VALUE   Of that driver, repeated
      --init                 A process 1 that reaps, in containers that do not say
      --default-ulimit NAME=SOFT[:HARD], --default-shm-size SIZE, --default-ipc-mode MODE,
      --default-cgroupns-mode MODE, --default-stop-timeout SECONDS, --no-new-privileges, --dns ADDRESS,
      --dns-opt OPTION, --dns-search DOMAIN
                             The same, as dockerd has them
      --default-runtime R    auto, crun, runc, a path or a name of --add-runtime (default auto)
      --add-runtime NAME=PATH
                             An OCI runtime that containers can ask for, repeated
  -s, --storage-driver D     auto, erofs or directory (default auto)
  -b, --bridge NAME          Interface of the default network (default berth0); none: there is no such network
      --bip CIDR, --bip6 CIDR
                             Address and subnet of the default network (default: a free one)
      --fixed-cidr CIDR, --fixed-cidr-v6 CIDR
                             Where its containers get addresses from
      --host-gateway-ip ADDRESS
                             What "host-gateway" stands for in hosts files, repeated (default: the bridge)
      --default-address-pool base=CIDR,size=N
                             Where subnets of networks come from that name none (repeatable)
      --firewall-table NAME  The nft table that holds all rules (default berth)
      --firewall MODE        open: published ports are open; respect: they pass the host's own rules
                             for input (default open)
      --publish-default ADDRESS
                             Host address that ports are published on when none is named (default: all); --ip too
      --mtu BYTES            Of the default network (default 1500)
      --icc=false            Keep containers of the default network apart, but for links
      --allow-direct-routing Published ports are reached at the containers' own addresses, too
      --cgroup-parent PATH   Parent of the containers' cgroups (default /berth)
  -G, --group NAME           Group that may use the socket (default docker)
      --ipv6                 IPv6 on the default network
  -p, --pidfile FILE
      --registry-mirror URL      Mirror of Docker Hub, repeated; other registries: "mirrors" in the file
      --insecure-registry HOST   HOST[:PORT] or CIDR that needs no good certificate, repeated
      --registry-token-host HOST Token service that any registry may name, repeated
      --http-proxy URL, --https-proxy URL, --no-proxy HOSTS
                             For registries, over the environment's
      --max-concurrent-downloads N  Layers at a time (default 6)
      --max-concurrent-uploads N    (default 5)
      --max-download-attempts N     (default 5)
      --registry-listen ADDR:PORT   Serve a registry; more in the section "registry" of the file
      --push-compression FORMAT  gzip or zstd (default gzip)
  -h, --help
  -v, --version
`

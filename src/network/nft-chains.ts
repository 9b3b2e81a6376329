/** The chains of our nftables table. They are static: what is there to tell apart are elements of the sets that they look at. */

/** Who may send what to whom. */
export function filterChains(closed: boolean): string {
  return `  chain spoofed {
    type filter hook prerouting priority raw; policy accept;
    # Loopback addresses never arrive from outside: neither a port published there nor route_localnet opens a way in.
    ip daddr 127.0.0.0/8 iifname != "lo" drop
    ip6 daddr ::1 iifname != "lo" drop
    # Ends of pairs that carry networks which lead nowhere.
    iifname @deaf drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    # Every packet passes here: two look-ups, whatever it is.
    iifname vmap @from
    oifname vmap @to
${closed ? CLOSED : ''}  }
  chain outward {
    oifname vmap @to
    accept
  }
  chain enclosed {
    iifname . oifname @icc accept
    drop
  }
  chain inward {
    ct state established,related accept
    ct status dnat accept
    iifname . oifname @icc accept
    iifname . oifname @apart jump linked
    oifname @routed4 ip protocol icmp accept
    oifname @routed6 meta l4proto icmpv6 accept
    oifname @unprotected4 meta nfproto ipv4 accept
    oifname @unprotected6 meta nfproto ipv6 accept
    ip daddr . meta l4proto . th dport @open4 accept
    ip6 daddr . meta l4proto . th dport @open6 accept
    iifname . oifname @trusted ip daddr . meta l4proto . th dport @direct4 accept
    iifname . oifname @trusted ip6 daddr . meta l4proto . th dport @direct6 accept
    drop
  }
  chain linked {
    ip saddr . ip daddr . meta l4proto . th dport @links4 accept
    ip6 saddr . ip6 daddr . meta l4proto . th dport @links6 accept
    drop
  }
`
}

/** Which address leads where. */
export function natChains(respect = false): string {
  return `  chain published {
    # A container cannot answer link-local callers; the socket that holds the port does.
    ip6 daddr fe80::/10 return
    dnat ip to ip daddr . meta l4proto . th dport map @dnat4
    dnat ip to meta l4proto . th dport map @dnat4any
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @dnat6
    dnat ip6 to meta l4proto . th dport map @dnat6any
  }
  chain incoming {
    type nat hook prerouting priority dstnat; policy accept;
    # A container that calls itself through the host is served by the socket that holds the port: with br_netfilter
    # a translated packet would never leave the bridge port that it came from.
    iifname @bridges ip saddr . meta l4proto . th dport @self4 accept
    iifname @bridges ip6 saddr . meta l4proto . th dport @self6 accept
${respect ? '' : '    fib daddr type local jump published\n'}  }
  chain local {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 accept
    fib daddr type local jump published
  }
  chain relayed {
    type nat hook input priority 100; policy accept;
    # A UDP socket for all addresses does not learn which one was asked, and would answer from the one that the route
    # prefers. So the asker gets that address towards the socket, which answers to it, and hence from it.
    iifname != "lo" udp dport @relayed4 fib daddr type local snat ip to ip daddr
    # Link-local askers are answered from the one address of that link.
    iifname != "lo" ip6 saddr != fe80::/10 udp dport @relayed6 fib daddr type local snat ip6 to ip6 daddr
  }
  chain leaving {
    type nat hook postrouting priority srcnat; policy accept;
    oifname @bridges goto arriving
    # While somebody has taken a bridge away, its containers are not to be looked for along the default route.
    ct status dnat ip daddr @subnets4 drop
    ct status dnat ip6 daddr @subnets6 drop
    snat ip to ip saddr map @snat4
    snat ip6 to ip6 saddr map @snat6
    ip saddr @masq4 masquerade
    ip6 saddr @masq6 masquerade
  }
  chain arriving {
    # The host's own 127.0.0.1, and containers that reach one another through a port of the host. Not masqueraded: the
    # kernel would forget such connections when somebody takes the bridge away.
    ip saddr 127.0.0.0/8 snat ip to ip daddr map @gateways4
    ct status dnat ip saddr @subnets4 snat ip to ip daddr map @gateways4
    ct status dnat ip6 saddr @subnets6 snat ip6 to ip6 daddr map @gateways6
  }
`
}

// `iifkind != "-"` holds for every link that has a kind; physical interfaces have none.
const CLOSED = `    meta iifkind != "-" accept
    meta oifkind != "-" accept
    ct state established,related accept
    drop
`

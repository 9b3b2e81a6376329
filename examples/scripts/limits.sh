#!/bin/sh
# Limits, restart policies, capabilities, read-only files.
set -u
IMAGE=${IMAGE:-busybox}
trap 'docker rm -f example-limited >/dev/null 2>&1' EXIT

docker run -d --name example-limited --memory 64m --memory-reservation 32m --cpus 0.5 --pids-limit 50 --ulimit nofile=100:200 \
  --shm-size 16m --cap-drop ALL --cap-add NET_BIND_SERVICE --security-opt no-new-privileges --read-only --tmpfs /tmp:size=1m \
  --restart on-failure:2 --stop-signal INT --stop-timeout 1 --dns 192.0.2.1 --dns-search example.com --add-host db:192.0.2.7 \
  --sysctl net.ipv4.ip_unprivileged_port_start=80 "$IMAGE" sleep 1000 >/dev/null

docker inspect -f '{{with .HostConfig}}{{.Memory}} {{.MemoryReservation}} {{.NanoCpus}} {{.PidsLimit}} {{.ShmSize}}{{end}}' example-limited
docker inspect -f '{{with .HostConfig}}{{.Ulimits}} {{.CapAdd}} {{.CapDrop}} {{.SecurityOpt}} {{.ReadonlyRootfs}}{{end}}' example-limited
docker inspect -f '{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}} {{.Config.StopSignal}} {{.Config.StopTimeout}}' example-limited
docker exec example-limited sh -c 'ulimit -n; ulimit -Hn; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status'
docker exec example-limited sh -c 'touch /x 2>/dev/null && echo written || echo read-only; touch /tmp/x && echo tmpfs'
docker exec example-limited sh -c 'grep -e ^nameserver -e ^search /etc/resolv.conf; grep -w db /etc/hosts; cat /proc/sys/net/ipv4/ip_unprivileged_port_start'
docker exec example-limited df -k /dev/shm | awk 'NR == 2 { print $2 }'
docker update --memory 128m --memory-swap 128m --cpus 1 example-limited
docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}' example-limited
docker stats --no-stream --format '{{.Name}}' example-limited
docker run --rm --network none "$IMAGE" ls /sys/class/net
docker run --rm --pid host "$IMAGE" sh -c '[ $$ -gt 1 ] && echo "sees the host"'
docker run --rm --hostname box --domainname example.com "$IMAGE" hostname -f
docker run --rm --user nobody --group-add 4242 "$IMAGE" id -G
docker run --rm --init "$IMAGE" sh -c 'tr "\0" " " < /proc/1/cmdline | grep -c init'
docker run --rm --memory 20m "$IMAGE" tail /dev/zero; echo "exit code $?"
docker run --rm --memory 1 "$IMAGE" true 2>/dev/null; echo "exit code $?"

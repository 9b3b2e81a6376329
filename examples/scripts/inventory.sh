#!/bin/sh
# Reports with templates: ps, inspect, images, networks, volumes, events.
set -eu
IMAGE=${IMAGE:-busybox}
trap 'docker rm -f example-a example-b >/dev/null 2>&1 || true; docker network rm example-front >/dev/null 2>&1 || true; docker volume rm example-store >/dev/null 2>&1 || true' EXIT

begin=$(date +%s)
docker network create --subnet 10.213.7.0/24 --label tier=front example-front >/dev/null
docker volume create example-store >/dev/null
docker run -d --name example-a --hostname alpha --network example-front --ip 10.213.7.10 --network-alias first \
  --label tier=front --label owner.team=web -v example-store:/store -p 127.0.0.1:18765:80/tcp --expose 90 "$IMAGE" sleep 1000 >/dev/null
docker run -d --name example-b --label tier=back --tmpfs /scratch -e MODE=fast --entrypoint sleep "$IMAGE" 1000 >/dev/null

docker ps --filter name=example- --format 'table {{.Names}}\t{{.Image}}\t{{.Command}}\t{{.State}}\t{{.Ports}}\t{{.Networks}}\t{{.Label "tier"}}'
docker ps --filter name=example- --format '{{.Names}}: {{.Labels}}' | sort
docker ps --filter name=example-a --no-trunc --format '{{.Mounts}}|{{.LocalVolumes}}|{{.Size}}' | cut -d'|' -f1,2
docker ps --filter name=example-a --format '{{upper .Names}} {{truncate .Image 4}} {{join (split .Names "-") "+"}} {{pad .State 1 1}}|'
docker ps --filter name=example-a --format '{{json .}}' | tr ',' '\n' | grep -e Names -e State -e '"Image"' | sort

docker inspect -f '{{range $name, $net := .NetworkSettings.Networks}}{{$name}}={{$net.IPAddress}} {{end}}' example-a
docker inspect -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}' example-a
docker inspect -f '{{range $p, $b := .NetworkSettings.Ports}}{{$p}}{{if $b}}->{{range $b}}{{.HostIp}}:{{.HostPort}}{{end}}{{else}} closed{{end}} {{end}}' example-a
docker inspect -f '{{.Config.Hostname}} {{index .Config.Labels "owner.team"}} {{len .Config.Labels}} {{.HostConfig.NetworkMode}}' example-a
docker inspect -f '{{.Path}} {{.Args}} {{.HostConfig.Tmpfs}} {{json .Config.Entrypoint}}' example-b
docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' example-b | grep MODE
docker inspect -f '{{if and .State.Running (not .State.Paused)}}up{{else}}down{{end}} {{printf "%s-%04d" .Name .RestartCount}}' example-a example-b
docker inspect -f '{{with .HostConfig}}{{.RestartPolicy.Name}} {{.Privileged}} {{.ShmSize}}{{end}}' example-a
docker inspect --type volume -f '{{.Driver}} {{.Scope}}' example-store
docker inspect --type container example-none 2>/dev/null || echo 'no such container'
docker network inspect -f '{{.Driver}} {{(index .IPAM.Config 0).Subnet}} {{len .Containers}} {{.Internal}}' example-front
docker network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}' example-front
docker network ls --filter label=tier=front --format '{{.Name}} {{.Driver}} {{.Scope}}'
docker port example-a
docker images --filter reference="$IMAGE" --format '{{.Repository}}:{{.Tag}}'

docker rm -f example-b >/dev/null
docker events --since "$begin" --until "$(($(date +%s) + 1))" --filter type=container --filter container=example-b --format '{{.Action}}' | grep -v exec
docker events --since "$begin" --until "$(date +%s)" --filter type=network --filter event=connect --format '{{.Actor.Attributes.name}}' | head -n 1

#!/bin/sh
# Finds and removes what carries a label, the way cron jobs do.
set -eu
IMAGE=${IMAGE:-busybox}
mark=example=clean-up

for name in one two three; do
  docker run -d --name "example-$name" --label "$mark" "$IMAGE" sleep 1000 >/dev/null
done
docker stop -t 0 example-two >/dev/null
docker network create --label "$mark" example-net >/dev/null
docker volume create --label "$mark" example-vol >/dev/null
docker tag "$IMAGE" example/clean:1

echo "running $(docker ps -q --filter label="$mark" | wc -l), all $(docker ps -aq --filter label="$mark" | wc -l)"
docker ps -a --filter label="$mark" --filter status=exited --format '{{.Names}}'
docker container prune -f --filter label="$mark" | sed -n '1p'
docker ps -aq --filter label="$mark" | xargs docker stop -t 0 >/dev/null
docker rm $(docker ps -aq --filter label="$mark") | wc -l
docker ps -aq --filter label="$mark" | wc -l
docker network prune -f --filter label="$mark"
docker volume prune -af --filter label="$mark" | sed -n '1,2p'
docker rmi example/clean:1
docker images -q --filter reference='example/clean' | wc -l
docker rm -f example-none 2>/dev/null || echo 'nothing to remove'
docker system prune -f --filter label="$mark" | tail -n 1

#!/bin/sh
# Replaces a service when the new one is healthy, and rolls back when it is not.
set -eu
IMAGE=${IMAGE:-busybox}
trap 'docker rm -f example-web example-web-next >/dev/null 2>&1 || true' EXIT

start() { # name, what it says, what its health check wants to hear
  docker run -d --name "$1" --label version="$2" -p 127.0.0.1::80 \
    --health-cmd "wget -q -O - http://127.0.0.1/ | grep -q '$3'" --health-interval 200ms --health-retries 3 --health-start-period 0s \
    --restart unless-stopped "$IMAGE" sh -c "mkdir -p /srv; echo '$2' > /srv/index.html; exec httpd -f -h /srv -p 80" >/dev/null
}

health() {
  until [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" != starting ]; do sleep 0.1; done
  docker inspect -f '{{.State.Health.Status}}' "$1"
}

deploy() {
  start example-web-next "$1" "$2"
  state=$(health example-web-next)
  echo "version $1 is $state"
  if [ "$state" = healthy ]; then
    docker rm -f example-web >/dev/null 2>&1 || true
    docker rename example-web-next example-web
  else
    docker inspect -f '{{(index .State.Health.Log 0).ExitCode}}' example-web-next
    docker rm -f example-web-next >/dev/null
  fi
}

deploy 1 1
deploy 2 2
deploy broken fine
docker ps --filter health=healthy --filter label=version --format '{{.Names}} {{.Label "version"}}'
port=$(docker port example-web 80/tcp)
echo "${port%:*}"
docker exec example-web wget -q -O - http://127.0.0.1/
docker inspect -f '{{.HostConfig.RestartPolicy.Name}} {{(index (index .NetworkSettings.Ports "80/tcp") 0).HostIp}}' example-web
docker update --restart no example-web
docker inspect -f '{{.HostConfig.RestartPolicy}}' example-web

#!/bin/sh
# A client and a server that find each other by name, on networks of their own.
set -eu
IMAGE=${IMAGE:-busybox}
trap 'docker rm -f example-db example-app >/dev/null 2>&1 || true; docker network rm example-back example-front >/dev/null 2>&1 || true' EXIT

docker network create --internal example-back >/dev/null
docker network create example-front >/dev/null
docker run -d --name example-db --network example-back --network-alias db "$IMAGE" sh -c '
  mkdir /srv; echo rows > /srv/index.html; exec httpd -f -h /srv -p 5432' >/dev/null
docker create --name example-app --network example-front "$IMAGE" sleep 1000 >/dev/null
docker network connect --alias app example-back example-app
docker start example-app

for name in db example-db; do
  until docker exec example-app wget -q -O - "http://$name:5432/" 2>/dev/null; do sleep 0.1; done
done
docker exec example-db ping -c 1 -W 2 app >/dev/null && echo 'and back'
docker run --rm --network example-front "$IMAGE" wget -q -T 2 -O - http://db:5432/ 2>/dev/null || echo 'not from the front'
docker run --rm --network container:example-db "$IMAGE" wget -q -O - http://127.0.0.1:5432/
docker network inspect -f '{{range .Containers}}{{println .Name}}{{end}}' example-back | sort | grep .
docker network rm example-back 2>/dev/null || echo 'still in use'
docker network disconnect example-back example-app
docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' example-app
docker exec example-app wget -q -T 2 -O - http://db:5432/ 2>/dev/null || echo 'disconnected'
docker rm -f example-db example-app
docker network rm example-back example-front

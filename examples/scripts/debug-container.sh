#!/bin/sh
# Looks into a container: logs, exec, top, diff, copies in and out, rename, pause, commit.
set -eu
IMAGE=${IMAGE:-busybox}
work=$(mktemp -d)
trap 'docker rm -f example-debug example-renamed >/dev/null 2>&1 || true; docker rmi example/debugged >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

docker run -d --name example-debug -e GREETING=hello "$IMAGE" sh -c '
  echo problem >&2; sleep 0.2; echo first; echo second; trap "echo bye; exit 0" TERM; touch /ready; while :; do sleep 0.1; done' >/dev/null
until docker exec example-debug test -e /ready; do sleep 0.1; done

docker logs example-debug 2>/dev/null
docker logs example-debug 2>&1 >/dev/null
docker logs --tail 1 example-debug 2>/dev/null
docker logs -t example-debug 2>/dev/null | cut -d' ' -f2
docker logs --since 1h example-debug 2>/dev/null | wc -l
docker exec example-debug sh -c 'echo "$GREETING from $$" | sed "s/[0-9][0-9]*/PID/"'
docker exec -e GREETING=bonjour -w /tmp -u 1 example-debug sh -c 'echo "$GREETING $PWD $(id -u)"'
docker exec example-debug sh -c 'exit 5' || echo "exit code $?"
docker exec -d example-debug sh -c 'echo later > /later'
until docker exec example-debug test -s /later; do sleep 0.1; done
echo 'from the host' | docker exec -i example-debug sh -c 'cat > /stdin'
docker top example-debug -o pid,args | sed -n '1p'

echo content > "$work/in"
docker cp "$work/in" example-debug:/in >/dev/null 2>&1
docker cp example-debug:/in "$work/out" >/dev/null 2>&1; cat "$work/out"
docker cp example-debug:/stdin - | tar -xO
docker diff example-debug | sort
docker pause example-debug; docker ps --filter name=example-debug --format '{{.State}}'; docker unpause example-debug
docker rename example-debug example-renamed
docker commit -m 'as found' -c 'CMD ["cat", "/later"]' example-renamed example/debugged >/dev/null
docker run --rm example/debugged
docker export example-renamed | tar -t | grep -x -e in -e later -e ready -e stdin | sort
docker stop example-renamed
docker logs --tail 1 example-renamed
docker inspect -f '{{.State.ExitCode}} {{.RestartCount}} {{.Name}}' example-renamed
docker restart -t 0 example-renamed
docker kill -s KILL example-renamed
docker wait example-renamed

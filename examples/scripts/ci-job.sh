#!/bin/sh
# Runs a job over a checkout, as CI servers do: mounts, user, environment file, exit code, artifacts, time limit.
set -u
IMAGE=${IMAGE:-busybox}
work=$(mktemp -d)
trap 'docker rm -f example-job >/dev/null 2>&1; rm -rf "$work"' EXIT
chmod 777 "$work"
echo 'print me' > "$work/input"
printf '%s\n' '# settings' 'STAGE=test' 'TOKEN=a b=c' > "$work/env"

export FROM_HERE=host
docker run --rm -v "$work":/src -w /src -u 1234:1234 --env-file "$work/env" -e FROM_HERE -e LITERAL='$x' "$IMAGE" \
  sh -c 'echo "$STAGE|$TOKEN|$FROM_HERE|$LITERAL"; id -u; cat input > output; pwd'
cat "$work/output"; stat -c %u "$work/output"

docker run --rm "$IMAGE" sh -c 'exit 7'; echo "exit code $?"
docker run --rm "$IMAGE" no-such-program 2>/dev/null; echo "exit code $?"
docker run --rm "$IMAGE" /etc 2>/dev/null; echo "exit code $?"
docker run --no-such-flag "$IMAGE" 2>/dev/null; echo "exit code $?"
echo 'from stdin' | docker run --rm -i "$IMAGE" tr a-z A-Z
docker run --rm "$IMAGE" sh -c 'echo out; echo err >&2' 2>/dev/null

id=$(docker create --name example-job --cidfile "$work/cid" "$IMAGE" sh -c 'mkdir /artifacts; echo result > /artifacts/report; exit 3')
[ "$(cat "$work/cid")" = "$id" ] && echo 'id file agrees'
docker start -a example-job; echo "exit code $?"
docker cp example-job:/artifacts/. "$work/artifacts" >/dev/null 2>&1; cat "$work/artifacts/report"
docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' example-job
docker rm example-job

docker run -d --name example-job "$IMAGE" sleep 1000 >/dev/null
docker stop -t 0 example-job >/dev/null
docker wait example-job

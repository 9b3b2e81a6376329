#!/bin/sh
# Backs a volume up into a tar file and restores it into another one.
set -eu
IMAGE=${IMAGE:-busybox}
work=$(mktemp -d)
trap 'docker volume rm -f example-data example-copy >/dev/null; rm -rf "$work"' EXIT

docker volume create --label project=example example-data
docker run --rm -v example-data:/data "$IMAGE" sh -c '
  mkdir /data/deep; echo one > /data/a; echo two > /data/deep/b; chmod 600 /data/a; ln -s a /data/link'

docker run --rm -v example-data:/data:ro -v "$work":/backup "$IMAGE" tar -cf /backup/data.tar -C /data .
tar -tf "$work/data.tar" | sort

docker volume create example-copy
docker run --rm -i -v example-copy:/data "$IMAGE" tar -xf - -C /data < "$work/data.tar"
docker run --rm -v example-copy:/data "$IMAGE" sh -c 'cd /data && find . | sort && cat a deep/b && stat -c "%a %n" a && readlink link'

if docker run --rm -v example-data:/data:ro "$IMAGE" touch /data/c 2>/dev/null; then echo 'written?'; else echo 'read-only'; fi
docker volume ls --filter name=example- --format '{{.Driver}} {{.Name}}'
docker volume inspect --format '{{.Name}} {{.Labels.project}}' example-data

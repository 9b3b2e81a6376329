#!/bin/sh
# Builds an image with arguments and labels, tags it, saves it, removes it, loads it again, and runs it.
set -eu
IMAGE=${IMAGE:-busybox}
work=$(mktemp -d)
trap 'docker rmi -f example/app:1.2.3 example/app:latest >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

cat > "$work/Dockerfile" <<EOF
ARG BASE
FROM \$BASE
ARG VERSION=dev
LABEL org.opencontainers.image.version=\$VERSION
ENV APP_VERSION=\$VERSION
COPY app.sh /usr/local/bin/app
RUN chmod 755 /usr/local/bin/app && app --version > /version
USER 1000:1000
WORKDIR /srv
EXPOSE 8080
ENTRYPOINT ["app"]
CMD ["serve"]
EOF
printf '%s\n' '#!/bin/sh' 'case $1 in --version) echo "app $APP_VERSION";; *) echo "$(id -u) $PWD $1";; esac' > "$work/app.sh"
printf '%s\n' '*.log' > "$work/.dockerignore"
echo noise > "$work/x.log"

id=$(docker build -q --build-arg BASE="$IMAGE" --build-arg VERSION=1.2.3 -t example/app:1.2.3 "$work" 2>/dev/null)
docker tag example/app:1.2.3 example/app:latest
[ "$(docker images -q --no-trunc example/app:1.2.3)" = "$id" ] && echo 'built and named'
docker image inspect -f '{{.Config.User}} {{.Config.WorkingDir}} {{json .Config.Entrypoint}} {{json .Config.Cmd}} {{index .Config.Labels "org.opencontainers.image.version"}}' example/app
docker run --rm example/app
docker run --rm example/app stop
docker run --rm --entrypoint cat example/app:1.2.3 /version
docker history --no-trunc --format '{{.CreatedBy}}' example/app | grep -c .

docker save -o "$work/app.tar" example/app:1.2.3 example/app:latest
docker rmi example/app:1.2.3 example/app:latest | grep Untagged | sort
docker images -q example/app
docker load -q -i "$work/app.tar" | sort
docker run --rm example/app:latest --version
docker images example/app --format '{{.Repository}}:{{.Tag}}' | sort

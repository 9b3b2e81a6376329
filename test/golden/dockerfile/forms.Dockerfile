FROM a
CMD ["a", "b\u0041\n"]
CMD ['single', 'quotes']
CMD [ "broken", ]
CMD [ "a" ] trailing
CMD []
CMD
ENTRYPOINT   [ "x" ]  
ENTRYPOINT exec  "$@"
RUN -- --not-a-flag
RUN --mount=type=bind,source=/a,target=/b --mount="type=cache,target=/c d" --network=none --security=insecure --device=vendor.com/gpu=0,required make  all
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
VOLUME /a /b
VOLUME ["/a b", " /c "]
COPY ["a b", "c/"]
COPY [not json c
HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=1h --start-interval=1.5s --retries=3 CMD curl -f  http://x
HEALTHCHECK cmd ["curl", "x"]
HEALTHCHECK none
MAINTAINER  Some Body <a@b>  
STOPSIGNAL SIGUSR1
USER  1000:1000
ONBUILD ADD --link a b
run lower
Run Mixed

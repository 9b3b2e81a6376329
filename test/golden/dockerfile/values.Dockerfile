# G first
ARG G=1 H I="a b" J=a\ b
# stage a is first
# a the base
FROM --platform=$BUILDPLATFORM img:${G:-x}@sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d as A
ENV a=1 b="x y" c='z' d=p\ q e= f=g=h
ENV legacy  value with  "quotes" a=b
ENV legacy2	tab
LABEL "a b"=c multi="one \
two" e=f
LABEL old style
ARG NAME
ARG A=$G B=${A:?needed}
EXPOSE 80 443/udp 7000-7010/tcp $PORTS
WORKDIR /with blanks/and $var
# not about G

ARG G
from scratch

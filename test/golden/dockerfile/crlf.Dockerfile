FROM a
RUN x \
  y
ENV a=b
RUN <<EOF
hi
EOF

USER u

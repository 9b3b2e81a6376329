#!/usr/bin/env -S docker build -f
# check=error=true
FROM a
RUN a \

  # c1
  b \
# c2


  c
RUN d \ 	
 e
RUN f\\
RUN g \
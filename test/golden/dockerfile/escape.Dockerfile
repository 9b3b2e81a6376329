# syntax=docker/dockerfile:1
# escape=`
# check=skip=JSONArgsRecommended

# escape=\
FROM windows `
  AS Win
WORKDIR C:\app\
COPY a.txt `
# inside

  c:\b\
RUN dir c:\ ``
ENV P="c:\x" Q=a` b

FROM a
COPY --from=0 --chown=u:g --chmod=u=rwX,go=rX --link --parents --exclude=*.md --exclude=b\ c a ./b/./c /d/
COPY --link=false a b
COPY --link=TRUE a b
COPY --from= a b
ADD --keep-git-dir=true --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d --unpack=false https://x/y.tar.gz /z
ADD --unpack git@host:a.git#main:dir /src
ADD a b c d/

python3 -c 'import gzip; open("data.gz", "wb").write(gzip.compress(b"no archive inside", mtime=0))'
: > empty.tar

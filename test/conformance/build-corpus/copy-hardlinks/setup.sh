mkdir -p d/sub
echo linked > d/a
ln d/a d/b
ln d/a d/sub/c

mkdir d
echo 1 > old; echo 2 > d/before
touch -d '1999-12-31 23:59:59 UTC' old
touch -d '1960-01-01 00:00:00 UTC' d/before

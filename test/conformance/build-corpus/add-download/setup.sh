tar -cf a.tar f
touch -d '2001-02-03 04:05:06 UTC' f a.tar

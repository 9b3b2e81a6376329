ln -s file link
ln -s d dirlink
ln -s in d/inner
ln -s /etc/passwd d/absolute
ln -s ../../outside d/outside
ln -s nothing d/dangling

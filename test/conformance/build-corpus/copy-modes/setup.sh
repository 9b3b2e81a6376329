mkdir -p d/open d/closed
for mode in 0000 0400 0644 0755 1644 2755 4755 6777; do echo $mode > d/$mode; chmod $mode d/$mode; done
chmod 1777 d/open
chmod 2750 d/closed

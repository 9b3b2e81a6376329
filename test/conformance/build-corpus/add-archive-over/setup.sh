mkdir -p t/sub && echo new > t/x && echo y > t/sub/y
tar -cf a.tar -C t . && rm -r t

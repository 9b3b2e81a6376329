mkdir -p t/sub && echo x > t/x && echo y > t/sub/y && chmod 700 t/sub && chown 5:6 t/x
tar -cf t.tar -C t . && rm -r t

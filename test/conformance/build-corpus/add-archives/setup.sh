mkdir -p t/sub && echo x > t/x && echo y > t/sub/y && ln -s x t/link && ln t/x t/hard && chmod 4755 t/sub/y && chmod 700 t/sub && chown 5:6 t/x
tar -cf plain.tar -C t . && tar -czf gzip.tgz -C t x sub
tar -cf - -C t x | python3 -c 'import bz2, sys; sys.stdout.buffer.write(bz2.compress(sys.stdin.buffer.read()))' > bzip2.tar.bz2
rm -r t

mkdir t && echo x > t/x
tar -cf - -C t x | python3 -c 'import lzma, sys; sys.stdout.buffer.write(lzma.compress(sys.stdin.buffer.read()))' > xz.txz
rm -r t

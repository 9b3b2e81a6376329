mkdir -p t/d && echo x > t/d/x
python3 -c 'import os; os.setxattr("t/d/x", "user.note", b"kept")'
tar --xattrs -cf a.tar -C t d && rm -r t

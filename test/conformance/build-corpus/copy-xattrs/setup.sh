mkdir d
echo x > f; echo y > d/g
python3 -c 'import os; os.setxattr("f", "user.note", b"of f"); os.setxattr("d/g", "user.binary", bytes([0, 255, 10]))'

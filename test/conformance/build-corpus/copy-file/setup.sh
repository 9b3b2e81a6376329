chmod 755 run
chmod 640 f

mkdir -p d/empty d/private
chmod 700 d/private
chmod 1777 d/empty

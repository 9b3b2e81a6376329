chmod 700 d/sub; chmod 711 d/sub/deep

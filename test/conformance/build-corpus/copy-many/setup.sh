for i in $(seq 20); do mkdir -p d/$i; for j in $(seq 50); do echo $i-$j > d/$i/$j; done; done

truncate -s 3M sparse
printf data | dd of=sparse bs=1 seek=1048576 conv=notrunc 2> /dev/null

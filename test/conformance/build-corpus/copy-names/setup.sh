touch 'a b' 'é漢😀' '*star' '[x]' 'back\slash' "quote'\"" '.hidden' ./-dash '.wh' 'new
line'
mkdir 'dir with blank' && touch 'dir with blank/x'
touch "$(printf 'long%0200d' 1)"
mkdir -p deep/$(printf 'a%.0s/' $(seq 60)) && touch deep/$(printf 'a%.0s/' $(seq 60))end

FROM a
RUN <<EOF
echo one
# not a comment
  two \
EOF
RUN <<"A B" cat 3<<-B > x
$literal
A B
	tab
	B
RUN cat <<  SPACED
x
SPACED
COPY <<a.txt <<-'b.txt' c /dir/
$expanded
a.txt
	$kept
	b.txt
ADD --chmod=600 <<EOF /f
EOF
RUN echo "<<EOF" '<<EOF' \<<EOF a<<EOF
RUN ["sh", "-c", "cat <<EOF"]
RUN cat <<<word
COPY << apart /x
text
apart
ONBUILD RUN <<EOF
later
EOF

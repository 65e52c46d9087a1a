# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what is too large for one frame, through a join: path MTU discovery, fragments, large pings
# timeout: 300
#
# As decision-large, but what is large is said by connections that stood before
# their bucket moved: the router tells it to the VIP, and the host that has the
# connection must hear of it, not the one that has the bucket.

BYTES=30000
EACH=8

# far_routes N: host N's way to the client behind the router.
far_routes() {
	ip -n "h$1" route add 10.3.0.0/24 via 10.0.0.200
	ip -n "h$1" route add fd03::/64 via fd00::c8
}

cluster 2 --vip "$VIP6" --echo hash
far_side
for n in 1 2; do
	far_routes "$n"
done

# talker N ADDRESS: a connection that stands, and echoes much once it is told to.
talker() {
	# shellcheck disable=SC2016
	background far "talk$1" bash -c 'exec 3<>"/dev/tcp/$1/80" {tick}<> <(:)
		printf Ex >&3
		head -c 1 <&3 >/dev/null
		echo standing
		until [ -e "$2" ]; do read -rt 0.1 -u "$tick" || :; done
		{ head -c "$3" /dev/zero | tr "\\0" x; } >&3 &
		head -c "$3" <&3 | wc -c' talker "$2" "/run/test/go$1" "$BYTES"
}
for ((i = 0; i < EACH; i++)); do
	talker "4-$i" "$VIP"
	talker "6-$i" "$VIP6"
done
for ((i = 0; i < EACH; i++)); do
	wait_until 20 logged_line "talk4-$i" standing
	wait_until 20 logged_line "talk6-$i" standing
done

# Meanwhile there are datagrams and echo requests in fragments, of which the
# join may cost those that are on their way.
for n in 1 2; do
	background "h$n" "udp$n" tt serve --id "$n" --listen-udp "$VIP:5300" --listen-udp "[$VIP6]:5300"
	wait_until 10 logged_line "udp$n" serving
done
background c large tt datagrams --to "$VIP:5300" --from "$SOURCES" --count 40 --size 4000 \
	--ready /run/test/large.ready --until /run/test/large.end
background c large6 tt datagrams --to "[$VIP6]:5300" --from fd00::64/128 --count 40 --size 4000 \
	--ready /run/test/large6.ready --until /run/test/large.end
background c ping ping -q -i 0.2 -W 3 -s 4000 "$VIP"
background c ping6 ping -q -i 0.2 -W 3 -s 4000 "$VIP6"
for name in large large6; do
	check "$name: datagrams of 4,000 bytes are answered" wait_until 40 test -e "/run/test/$name.ready"
	note "$name: $(xargs <"/run/test/$name.ready")"
done

add_host 3
far_routes 3
serve 3
join 3 --vip "$VIP6" --echo hash
background h3 udp3 tt serve --id 3 --listen-udp "$VIP:5300" --listen-udp "[$VIP6]:5300"
wait_until 10 logged_line udp3 serving
check "a third host joins" wait_agree 30 1 2 3
check "it owns its share" wait_until 20 buckets_about 1365 1 3

before=$(($(counter h1 accepted-residual) + $(counter h2 accepted-residual)))
for ((i = 0; i < EACH; i++)); do
	for family in 4 6; do
		# What is learnt is kept for the client's address; each connection shall learn it anew.
		for n in 1 2 3; do
			on "h$n" ip route flush cache
			on "h$n" ip -6 route flush cache
		done
		touch "/run/test/go$family-$i"
		check "IPv$family, connection $i echoes $BYTES bytes" wait_until 15 logged_line "talk$family-$i" "^$BYTES\$"
	done
done
served=$(($(counter h1 accepted-residual) + $(counter h2 accepted-residual) - before))
check "some of them at a host that does not own the bucket any more: $served packets" [ "$served" -gt 20 ]

touch /run/test/large.end
finish large
finish large6
cp /run/test/large.log /run/test/large.json
cp /run/test/large6.log /run/test/large6.json
for name in large large6; do
	note "$name: $(cat "/run/test/$name.json")"
	check "$name: hardly a datagram was lost" [ "$(field "$name" '.sent - .answered')" -le 10 ]
	check "$name: the new host answers as well" [ "$(field "$name" .moved)" -gt 0 ]
done
for name in ping ping6; do
	kill -INT "$(<"/run/test/$name.pid")"
	wait_until 10 logged_line "$name" 'packets transmitted'
	note "$name: $(grep transmitted "/run/test/$name.log")"
	lost=$(awk '/packets transmitted/ { print $1 - $4 }' "/run/test/$name.log")
	check "$name with 4,000 bytes: hardly an answer was lost" [ "$lost" -le 2 ]
done

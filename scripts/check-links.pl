# SPDX-License-Identifier: GPL-2.0-only
#
# check-links.pl TYPE…: which of these types of interfaces the kernel cannot
# make in the present network namespace, as words on standard output; exit code
# 1 if there are any. Perl is in each Debian (perl-base), iproute2 is not.

use strict;
use warnings;
use Socket;

# linux/netlink.h, linux/rtnetlink.h, linux/if_link.h
use constant {
	AF_NETLINK     => 16,
	NETLINK_ROUTE  => 0,
	RTM_NEWLINK    => 16,
	NLM_F          => 0x1 | 0x4 | 0x200 | 0x400,    # request, ack, excl, create
	IFLA_IFNAME    => 3,
	IFLA_LINKINFO  => 18,
	IFLA_INFO_KIND => 1,
};

sub attribute {
	my ($type, $data) = @_;
	my $length = 4 + length $data;
	return pack('SSa*', $length, $type, $data) . "\0" x (-$length & 3);
}

# make TYPE NAME: the error number of the kernel's answer, 0 for success
sub make {
	my ($type, $name) = @_;
	socket(my $socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) or die "netlink: $!\n";
	my $body = pack('x16')
		. attribute(IFLA_IFNAME,   "$name\0")
		. attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, $type));
	send($socket, pack('LSSLL', 16 + length $body, RTM_NEWLINK, NLM_F, 1, 0) . $body, 0)
		or die "netlink: $!\n";
	defined recv($socket, my $answer, 8192, 0) or die "netlink: $!\n";
	return -(unpack 'x16l', $answer);
}

my @missing = grep { make($_, "nlb-$_") != 0 } @ARGV;
print "@missing\n" if @missing;
exit(@missing ? 1 : 0);

// SPDX-License-Identifier: GPL-2.0-only
/* The tables of TCP connections: see inet.rs. */
#include <linux/if_ether.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/l3mdev.h>
#include <net/net_namespace.h>
#include <net/request_sock.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tcp_states.h>

#include "helpers.h"

/*
 * A socket's state as a bit (1 << TCP_...), 0 for no socket; gives the reference back. For a half-open one also the
 * number that acknowledges its SYN-ACK.
 */
static u32 nlb_state_of(struct sock *sk, u32 *awaited)
{
	u32 state;

	if (!sk)
		return 0;
	state = READ_ONCE(sk->sk_state);
	if (state == TCP_NEW_SYN_RECV)
		*awaited = tcp_rsk(inet_reqsk(sk))->snt_isn + 1;
	sock_gen_put(sk);
	return BIT(state);
}

/* What the stack will take a packet from @dev to come from: a VRF takes its ports' packets over. */
static int nlb_dif(const struct net_device *dev, int *sdif)
{
	int vrf = l3mdev_master_ifindex_rcu(dev);

	*sdif = vrf ? dev->ifindex : 0;
	return vrf ?: dev->ifindex;
}

/*
 * The state of the TCP socket with this 4-tuple that packets from @dev would reach. TIME_WAIT and half-open sockets
 * are found as well. Context: RCU read side.
 */
u32 nlb_helper_tcp4_state(const struct net_device *dev, __be32 saddr, __be16 sport,
			  __be32 daddr, u16 dport, u32 *awaited)
{
	int sdif, dif = nlb_dif(dev, &sdif);

	return nlb_state_of(__inet_lookup_established(dev_net(dev), saddr, sport, daddr,
						      dport, dif, sdif), awaited);
}

u32 nlb_helper_tcp6_state(const struct net_device *dev, const u8 *saddr, __be16 sport,
			  const u8 *daddr, u16 dport, u32 *awaited)
{
#if IS_ENABLED(CONFIG_IPV6)
	int sdif, dif = nlb_dif(dev, &sdif);
	struct in6_addr from, to;

	memcpy(&from, saddr, sizeof(from));
	memcpy(&to, daddr, sizeof(to));
	return nlb_state_of(__inet6_lookup_established(dev_net(dev), &from, sport, &to,
						       dport, dif, sdif), awaited);
#else
	return 0;
#endif
}

/* One in TIME_WAIT waits for what may still be under way; both ends have closed it. */
static bool nlb_is_over(const struct sock *sk)
{
	return READ_ONCE(sk->sk_state) == TCP_TIME_WAIT &&
	       READ_ONCE(inet_twsk(sk)->tw_substate) == TCP_TIME_WAIT;
}

static void nlb_show_socket(const struct sock *sk, nlb_tcp_found found, void *context)
{
	u16 client_port = be16_to_cpu(sk->sk_dport);
	bool lives = !nlb_is_over(sk);

#if IS_ENABLED(CONFIG_IPV6)
	/* A listener for both families has IPv4 connections as mapped ones. */
	if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_rcv_saddr)) {
		found(context, true, &sk->sk_v6_daddr, client_port, &sk->sk_v6_rcv_saddr,
		      sk->sk_num, lives);
		return;
	}
#endif
	found(context, false, &sk->sk_daddr, client_port, &sk->sk_rcv_saddr, sk->sk_num, lives);
}

/*
 * Shows TCP connections of @net from chain @from of the table on, established, in TIME_WAIT and half-open ones, until
 * the budget is spent: a unit for each chain, eight for each connection. Returns the next chain; 0: that was all.
 *
 * Each chain is locked while it is looked at: a half-open connection that becomes an established one, or that one when
 * it goes to TIME_WAIT, changes its entry there, and without the lock the old one could be missed as well as the new.
 * @found is called with BH off and must be short. Context: process, without locks.
 */
u32 nlb_helper_tcp_walk(const struct net *net, u32 from, u32 budget, nlb_tcp_found found,
			void *context)
{
	struct inet_hashinfo *info = net->ipv4.tcp_death_row.hashinfo;
	const struct hlist_nulls_node *node;
	struct sock *sk;
	u32 spent;

	for (spent = 0; from <= info->ehash_mask; from++, spent++) {
		struct inet_ehash_bucket *head = &info->ehash[from];
		spinlock_t *lock;

		if (spent >= budget)
			return from;
		if (hlist_nulls_empty(&head->chain))
			continue;
		lock = inet_ehash_lockp(info, from);
		spin_lock_bh(lock);
		sk_nulls_for_each(sk, node, &head->chain) {
			/* The table may be one for all namespaces. */
			if (net_eq(sock_net(sk), net))
				nlb_show_socket(sk, found, context);
			spent += 8;
		}
		spin_unlock_bh(lock);
	}
	return 0;
}

/* Whether a listener has answered by SYN cookies lately, so that an ACK may carry one: as cookie_tcp_check() asks. */
static bool nlb_awaits_cookies(const struct sock *sk)
{
	return sk && READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_syncookies) &&
	       !tcp_synq_no_recent_overflow(sk);
}

/*
 * Whether an ACK with these numbers carries a SYN cookie of this host for a listener that packets from @dev would
 * reach. Context: RCU read side.
 */
bool nlb_helper_tcp4_cookie(const struct net_device *dev, __be32 saddr, __be16 sport,
			    __be32 daddr, u16 dport, u32 seq, u32 ack)
{
	const struct tcphdr th = {
		.source = sport,
		.dest = htons(dport),
		.seq = htonl(seq),
		.ack_seq = htonl(ack),
	};
	const struct iphdr iph = { .saddr = saddr, .daddr = daddr };
	int sdif, dif = nlb_dif(dev, &sdif);

	return nlb_awaits_cookies(__inet_lookup_listener(dev_net(dev), NULL, 0, saddr, sport,
							 daddr, dport, dif, sdif)) &&
	       __cookie_v4_check(&iph, &th);
}

bool nlb_helper_tcp6_cookie(const struct net_device *dev, const u8 *saddr, __be16 sport,
			    const u8 *daddr, u16 dport, u32 seq, u32 ack)
{
#if IS_ENABLED(CONFIG_IPV6)
	const struct tcphdr th = {
		.source = sport,
		.dest = htons(dport),
		.seq = htonl(seq),
		.ack_seq = htonl(ack),
	};
	int sdif, dif = nlb_dif(dev, &sdif);
	struct ipv6hdr iph = {};

	memcpy(&iph.saddr, saddr, sizeof(iph.saddr));
	memcpy(&iph.daddr, daddr, sizeof(iph.daddr));
	return nlb_awaits_cookies(inet6_lookup_listener(dev_net(dev), NULL, 0, &iph.saddr, sport,
							&iph.daddr, dport, dif, sdif)) &&
	       __cookie_v6_check(&iph, &th);
#else
	return false;
#endif
}
